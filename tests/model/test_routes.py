"""Routes are read wherever gateways keep them."""

import pytest

from responder.model.evidence import KubernetesObjects
from responder.model.picture import Picture
from responder.model.routes import declared_routes, routes_of

YAML = """\
spring:
  cloud:
    gateway:
      routes:
        - id: order
          uri: lb://order-service
          predicates:
            - Path=/api/order/**
        - uri: http://user:8081
          predicates:
            - name: Path
              args:
                pattern: /api/user/**
"""
PROPERTIES = """\
spring.cloud.gateway.routes[0].id=order
spring.cloud.gateway.routes[0].uri=lb://order-service
spring.cloud.gateway.routes[0].predicates[0]=Path=/api/order/**
spring.cloud.gateway.routes[1].uri=http://user:8081
spring.cloud.gateway.routes[1].predicates[0]=Path=/api/user/**
"""
JSON = (
    '{"spring":{"cloud":{"gateway":{"routes":[{"id":"order","uri":"lb://order-service","predicates":["Path=/api/order/**"]},'
    '{"uri":"http://user:8081","predicates":["Path=/api/user/**"]}]}}}}'
)
NGINX = """\
upstream orders { server order-service; }
server {
  location /api/order/ { proxy_pass http://orders; }
  location ~ ^/api/user { proxy_pass http://user:8081; }
}
"""


def read(files: dict[str, str], env: dict[str, str]) -> list[tuple[str, str, int | None]]:
    volume = {"name": "config", "configMap": {"name": "config"}}
    container = {"name": "gateway", "env": [{"name": name, "value": value} for name, value in env.items()]}
    spec = {"template": {"spec": {"containers": [container], "volumes": [volume]}}}
    objects = (
        {"kind": "Deployment", "metadata": {"name": "gateway", "namespace": "shop"}, "spec": spec},
        {"kind": "ConfigMap", "metadata": {"name": "config", "namespace": "shop"}, "data": files},
    )
    picture = Picture.of([("seen", KubernetesObjects(objects=objects))])
    return [(route.path, route.host, route.port) for route in routes_of(picture, picture.all("Deployment")[0])]


VARIABLES = {
    "SPRING_CLOUD_GATEWAY_ROUTES_0_URI": "lb://order-service",
    "SPRING_CLOUD_GATEWAY_ROUTES_0_PREDICATES_0": "Path=/api/order/**",
    "SPRING_CLOUD_GATEWAY_ROUTES_1_URI": "http://user:8081",
    "SPRING_CLOUD_GATEWAY_ROUTES_1_PREDICATES_0": "Path=/api/user/**",
}


@pytest.mark.parametrize(
    ("files", "env"),
    [
        ({"application.yml": YAML}, {}),
        ({"application.properties": PROPERTIES}, {}),
        ({}, {"SPRING_APPLICATION_JSON": JSON}),
        ({}, VARIABLES),
    ],
    ids=["YAML", "properties", "JSON", "variables"],
)
def test_routes_of_spring_are_read(files: dict[str, str], env: dict[str, str]) -> None:
    assert read(files, env) == [("/api/order/**", "order-service", None), ("/api/user/**", "user", 8081)]


def test_routes_of_nginx_are_read_through_its_upstreams() -> None:
    assert read({"nginx.conf": NGINX}, {}) == [("/api/order/", "order-service", None), ("^/api/user", "user", 8081)]


def test_what_is_no_route_is_none() -> None:
    assert read({"application.yml": "server:\n  port: 80\ndatasource:\n  url: jdbc:mysql://db:3306/x\n"}, {}) == []


def test_an_ingress_declares_routes() -> None:
    backend = {"service": {"name": "order", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": "/order", "backend": backend}]}}
    ingress = {"kind": "Ingress", "metadata": {"name": "edge", "namespace": "shop"}, "spec": {"rules": [rule]}}
    picture = Picture.of([("seen", KubernetesObjects(objects=(ingress,)))])
    assert [(item.path, item.host, item.port) for item in declared_routes(picture, "shop")] == [("/order", "order", 80)]
