"""Fills a Keystone that was just set up; asked as admin.

usage: seed.py KEYSTONE users
       seed.py KEYSTONE endpoint NAME TYPE URL
"""

from __future__ import annotations

import sys

from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

#: User, project, and the user's roles there.
USERS = (
    ("swift", "service", ("admin", "service")),
    ("cinder", "service", ("admin", "service")),
    ("glance", "service", ("admin", "service")),
    ("demo", "demo", ("member",)),
    ("other", "other", ("member",)),
)
REGION = "RegionOne"


def admin(url: str) -> client.Client:
    identity = v3.Password(
        url,
        username="admin",
        password="adminpass",
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
    )
    return client.Client(session=session.Session(auth=identity), region_name=REGION)


def users(keystone: client.Client) -> None:
    roles = {role.name: role for role in keystone.roles.list()}
    projects = {}
    for name, project, given in USERS:
        if project not in projects:
            projects[project] = keystone.projects.create(project, "default")
        user = keystone.users.create(
            name, domain="default", password=f"{name}pass", default_project=projects[project]
        )
        for role in given:
            if role not in roles:
                roles[role] = keystone.roles.create(role)
            keystone.roles.grant(roles[role], user=user, project=projects[project])


def endpoint(keystone: client.Client, name: str, kind: str, url: str) -> None:
    service = keystone.services.create(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        keystone.endpoints.create(service, url, interface=interface, region=REGION)


if __name__ == "__main__":
    work = {"users": users, "endpoint": endpoint}[sys.argv[2]]
    work(admin(sys.argv[1]), *sys.argv[3:])
