"""A stand-in for Cinder and this host's connectors: volumes are sparse files, and the rules are those of Cinder 29.

All of it lies in one directory, under one lock, so that several processes see the same cloud.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cinderclient import exceptions

GIB = 1 << 30
_BUSY = (
    "Volume {} status must be available or downloading to reserve, but the current status is {}."
)
_NONE: dict[str, Any] = {"volumes": {}, "attachments": {}, "calls": [], "connected": {}}


class Cloud:
    """The state of a cloud; ``protocol`` is how its volumes are reached: rbd, block or nfs."""

    def __init__(self, place: Path, protocol: str = "rbd", **rules: Any) -> None:
        self.place = place
        self.protocol = protocol
        self.quota = 1000  # GiB
        self.multiattach = False
        self.extends_attached = True
        self.looks_until_ready = 0
        self.skew = 0.0  # seconds by which its clock is ahead
        self.slack = 0  # bytes that a device is longer than its volume
        self.project = "11111111111111111111111111111111"
        #: Called before each request with its name; what it raises is the answer.
        self.before: Callable[[str], None] = lambda _name: None
        #: Called after each request took effect.
        self.after: Callable[[str], None] = lambda _name: None
        vars(self).update(rules)
        (place / "data").mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def state(self) -> Iterator[dict[str, Any]]:
        with (self.place / "lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = self.place / "state.json"
            found = json.loads(file.read_text()) if file.exists() else json.loads(json.dumps(_NONE))
            yield found
            file.write_text(json.dumps(found))
            fcntl.flock(lock, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def request(self, name: str) -> Iterator[dict[str, Any]]:
        self.before(name)
        with self.state() as state:
            state["calls"].append(name)
            before = {number: each["status"] for number, each in state["volumes"].items()}
            yield state
            for number, status in before.items():
                each = state["volumes"].get(number, {})
                if each and (name == "touch" or each["status"] != status):
                    each["updated_at"] = self.stamp()
        self.after(name)

    def stamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(time.time() + self.skew))

    def data(self, volume_id: str) -> Path:
        return self.place / "data" / f"volume-{volume_id}"

    def calls(self) -> list[str]:
        with self.state() as state:
            found, state["calls"] = state["calls"], []
        return list(found)

    def all(self, kind: str) -> dict[str, Any]:
        with self.state() as state:
            return dict(state[kind])

    def client(self) -> SimpleNamespace:
        return SimpleNamespace(
            volumes=Volumes(self),
            attachments=Attachments(self),
            volume_types=Types(self),
            quotas=Quotas(self),
            client=SimpleNamespace(session=None, get=self.get),
        )

    def get(self, _path: str) -> tuple[SimpleNamespace, None]:
        """Answer some request, with the time by this cloud's clock."""
        with self.request("time"):
            date = formatdate(time.time() + self.skew, usegmt=True)
            return SimpleNamespace(headers={"Date": date}), None


def refuse(text: str, code: int = 400) -> Exception:
    kinds = {400: exceptions.BadRequest, 404: exceptions.NotFound, 413: exceptions.OverLimit}
    kind: type[Exception] = kinds.get(code, exceptions.ClientException)
    return kind(code, text)


class Volumes:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def create(
        self,
        size: int,
        name: str,
        volume_type: str | None,
        metadata: Mapping[str, str],
        source_volid: str | None = None,
    ) -> Any:
        with self.cloud.request("create") as state:
            if volume_type not in (None, "fast", "slow"):
                raise refuse(f"Volume type with name {volume_type} could not be found.", 404)
            _check(name, metadata)
            used = sum(each["size"] for each in state["volumes"].values())
            if used + size > self.cloud.quota:
                raise refuse("VolumeSizeExceedsAvailableQuota: Requested volume exceeds", 413)
            number = str(uuid.uuid4())
            state["volumes"][number] = {
                "id": number, "name": name, "size": size, "status": "creating" if self.cloud.looks_until_ready else "available",
                "created_at": self.cloud.stamp(), "updated_at": None,
                "metadata": dict(metadata), "volume_type": volume_type or "fast", "looks": 0,
            }  # fmt: skip
            with self.cloud.data(number).open("wb") as file:
                file.truncate(size * GIB + self.cloud.slack)
                if source_volid is not None:
                    _find(state, source_volid)
                    _copy(self.cloud.data(source_volid), file.fileno())
            return SimpleNamespace(**_shown(state, number))

    def get(self, volume_id: str) -> Any:
        with self.cloud.request("get") as state:
            _find(state, volume_id)
            self._age(state, volume_id)
            return SimpleNamespace(**_shown(state, volume_id))

    def list(self, search_opts: Mapping[str, str] | None = None) -> list[Any]:
        with self.cloud.request("list") as state:
            found = []
            for number in list(state["volumes"]):
                name = state["volumes"][number]["name"]
                if not search_opts or search_opts["name"] == name:
                    self._age(state, number)
                    found.append(SimpleNamespace(**_shown(state, number)))
            return found

    def _age(self, state: dict[str, Any], number: str) -> None:
        volume = state["volumes"][number]
        volume["looks"] += 1
        if volume["looks"] > self.cloud.looks_until_ready:
            new = {"creating": "available", "extending": volume.get("then")}
            volume["status"] = new.get(volume["status"]) or volume["status"]

    def update_all_metadata(self, volume_id: str, metadata: Mapping[str, str]) -> None:
        with self.cloud.request("label") as state:
            volume = _find(state, volume_id)
            _check(volume["name"], metadata)
            volume["metadata"] = dict(metadata)

    def update(self, volume_id: str, name: str) -> None:
        with self.cloud.request("touch") as state:
            _find(state, volume_id)["name"] = name

    def update_readonly_flag(self, volume_id: str, flag: bool) -> None:
        with self.cloud.request("readonly") as state:
            volume = _find(state, volume_id)
            if volume["status"] != "available":
                raise refuse(f"Volume status must be available, but is {volume['status']}")
            volume["readonly"] = flag

    def extend(self, volume_id: str, size: int) -> None:
        with self.cloud.request("extend") as state:
            volume = _find(state, volume_id)
            allowed = ("available", "in-use") if self.cloud.extends_attached else ("available",)
            if volume["status"] not in allowed:
                raise refuse(f"Invalid volume: Volume status must be {allowed[0]} to extend")
            if sum(each["size"] for each in state["volumes"].values()) + size > self.cloud.quota:
                raise refuse("VolumeSizeExceedsAvailableQuota: Requested volume exceeds", 413)
            volume.update(then=volume["status"], status="extending", size=size, looks=0)
            os.truncate(self.cloud.data(volume_id), size * GIB + self.cloud.slack)

    def delete(self, volume_id: str) -> None:
        with self.cloud.request("delete") as state:
            volume = _find(state, volume_id)
            if volume["status"] not in ("available", "error", "error_deleting", "error_extending"):
                raise refuse(f"Volume status must be available, but is {volume['status']}")
            del state["volumes"][volume_id]
            self.cloud.data(volume_id).unlink()


class Attachments:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def create(self, volume_id: str, connector: Any, instance: None, mode: str) -> dict[str, Any]:
        with self.cloud.request("attach") as state:
            volume = _find(state, volume_id)
            there = volume["status"] == "in-use" and self.cloud.multiattach
            if volume["status"] not in ("available", "downloading") and not there:
                raise refuse(_BUSY.format(volume_id, volume["status"]))
            if mode == "rw" and volume.get("readonly"):
                raise refuse("Invalid volume: it is read-only, and the attach mode is rw")
            volume["status"] = volume["status"] if there else "attaching"
            number = str(uuid.uuid4())
            data: dict[str, Any] = {
                "name": f"volume-{volume_id}",
                "export": f"127.0.0.1:{self.cloud.place}/data",
            }
            data |= {"auth_password": "storage-s3cret", "encrypted": False, "format": "raw"}
            state["attachments"][number] = {
                "id": number, "volume_id": volume_id, "status": "attaching", "mode": mode,
                "host": connector["host"],
                "connection_info": {"driver_volume_type": self.cloud.protocol, **data},
            }  # fmt: skip
            return dict(state["attachments"][number])

    def show(self, number: str) -> Any:
        with self.cloud.request("attachment") as state:
            found = dict(_find(state, number, "attachments"))
            return SimpleNamespace(to_dict=lambda: found)

    def list(self, search_opts: Mapping[str, str]) -> list[Any]:
        with self.cloud.request("attachments") as state:
            found = [SimpleNamespace(**each) for each in state["attachments"].values()]
            return [each for each in found if each.volume_id == search_opts["volume_id"]]

    def complete(self, number: str) -> None:
        with self.cloud.request("complete") as state:
            found = _find(state, number, "attachments")
            found["status"] = "attached"
            state["volumes"][found["volume_id"]]["status"] = "in-use"

    def delete(self, number: str) -> None:
        with self.cloud.request("detach") as state:
            volume = _find(state, number, "attachments")["volume_id"]
            del state["attachments"][number]
            if not any(each["volume_id"] == volume for each in state["attachments"].values()):
                state["volumes"][volume]["status"] = "available"


class Types:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def list(self) -> list[Any]:
        with self.cloud.request("types"):
            return [SimpleNamespace(name=name, id=f"id-{name}") for name in ("fast", "slow")]

    def default(self) -> Any:
        with self.cloud.request("default type"):
            return SimpleNamespace(name="fast", id="id-fast")


def _copy(source: Path, target: int) -> None:
    """Copy what is no hole."""
    with source.open("rb") as file:
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            os.pwrite(target, os.pread(file.fileno(), end - start, start), start)


class Quotas:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, project: str, usage: bool) -> Any:
        with self.cloud.request("quota") as state:
            used = sum(each["size"] for each in state["volumes"].values())
            told = {"limit": self.cloud.quota, "in_use": used, "reserved": 0}
            return SimpleNamespace(gigabytes=told)


def _find(state: dict[str, Any], number: str, kind: str = "volumes") -> dict[str, Any]:
    if number not in state[kind]:
        raise refuse(f"{kind} {number} could not be found.", 404)
    found: dict[str, Any] = state[kind][number]
    return found


def _shown(state: dict[str, Any], number: str) -> dict[str, Any]:
    there = [each for each in state["attachments"].values() if each["volume_id"] == number]
    shown = [each for each in there if each["status"] == "attached"]
    return {**state["volumes"][number], "attachments": shown}


def _check(name: str, metadata: Mapping[str, str]) -> None:
    """Hold a name and labels against Cinder's schema."""
    for text in (name, *metadata, *metadata.values()):
        if len(text) > 255 or name != name.strip() or any(ord(each) > 0xFFFF for each in text):
            raise refuse("Invalid input for field/attribute")


# -- this host -------------------------------------------------------------------------------------


class Connector:
    """os-brick's connector of a protocol: it gives a path, or Ceph's handle."""

    def __init__(self, cloud: Cloud, protocol: str) -> None:
        self.cloud = cloud
        self.protocol = protocol

    def connect_volume(self, data: Mapping[str, Any]) -> dict[str, Any]:
        self.cloud.before("connect")
        path = self.cloud.place / "data" / data["name"]
        self.count(data["name"], 1)
        return {"path": Handle(path) if self.protocol == "rbd" else str(path)}

    def disconnect_volume(self, data: Mapping[str, Any], found: Any, *, force: bool) -> None:
        if found and self.protocol == "rbd":
            self.count(data["name"], -1)
            found["path"].close()
        else:
            self.count(data["name"], -1000)
        self.cloud.before("disconnect")

    def extend_volume(self, data: Mapping[str, Any]) -> None:
        self.cloud.before("resize")

    def count(self, name: str, change: int) -> None:
        with self.cloud.state() as state:
            count = max(0, state["connected"].get(name, 0) + change)
            state["connected"] = {**state["connected"], name: count}
            if not count:
                del state["connected"][name]


class Handle:
    """Ceph's handle: it has no path and no descriptor to ask for."""

    def __init__(self, path: Path) -> None:
        self.rbd_image = RbdImage(path)

    def close(self) -> None:
        self.rbd_image.close()


class RbdImage:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def write(self, data: bytes, offset: int) -> None:
        os.pwrite(self._fd, data, offset)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


class FakeSdk:
    """What the driver takes instead of the vendor's libraries."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def check(self) -> None:
        pass

    def client(self, settings: Any, caller: Any) -> Any:
        self.cloud.before("login")
        return self.cloud.client()

    def owner(self, client: Any) -> str:
        return self.cloud.project

    def endpoint(self, client: Any) -> str:
        return "http://127.0.0.1:8776/v3"

    def properties(self, settings: Any, api: str | None) -> dict[str, Any]:
        return {"host": settings.host or "here", "ip": "127.0.0.1"}

    def connector(self, settings: Any, protocol: str, info: Mapping[str, Any]) -> Connector:
        return Connector(self.cloud, protocol)
