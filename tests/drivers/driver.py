"""Plays one role of the cross-language scenarios in Python; the words are those of core/examples/scenario_driver.rs."""

import json
import sys
from typing import Any

import tidelog

KEY = bytes([7]) * 32


class Driver:
    workspace: tidelog.Workspace
    link: tidelog.Link | None = None

    def collection(self, command: dict[str, Any]) -> Any:
        collection = self.workspace.database("main").collection(command["in"], policy=command.get("policy", "lww"))
        owner = command.get("of")
        if owner is None:
            return collection
        return collection.own() if owner == "me" else collection.of(owner)

    def document(self, command: dict[str, Any]) -> Any:
        return self.collection(command).document(command["key"])

    def create(self, c: dict[str, Any]) -> None:
        self.workspace = tidelog.create(c["path"], c["name"], key=KEY)

    def open(self, c: dict[str, Any]) -> None:
        self.workspace = tidelog.open(c["path"], key=bytes([8]) * 32 if c.get("wrong_key") else KEY)

    def join(self, c: dict[str, Any]) -> None:
        self.workspace = tidelog.join(c["path"], c["invite"], key=KEY, profile=c["profile"], timeout=60)

    def invite(self, c: dict[str, Any]) -> str:
        return self.workspace.invite(c["relay"], auto_approve=True, role=c.get("role", "writer")).uri

    def connect(self, c: dict[str, Any]) -> None:
        self.link = self.workspace.connect(c["relay"])
        self.link.wait_live(60)

    def disconnect(self, _: dict[str, Any]) -> None:
        if self.link is not None:
            self.link.stop()
            self.link = None

    def sync(self, c: dict[str, Any]) -> None:
        self.workspace.sync(c["relay"])

    def close(self, _: dict[str, Any]) -> None:
        self.workspace.shutdown()

    def put(self, c: dict[str, Any]) -> None:
        self.collection(c).put(c["key"], c["value"])

    def patch(self, c: dict[str, Any]) -> None:
        self.collection(c).patch(c["key"], c["value"])

    def get(self, c: dict[str, Any]) -> Any:
        return self.collection(c).get(c["key"])

    def delete(self, c: dict[str, Any]) -> bool:
        return bool(self.collection(c).delete(c["key"]))

    def count(self, c: dict[str, Any]) -> int:
        return int(self.collection(c).count(c.get("where")))

    def query(self, c: dict[str, Any]) -> list[str]:
        items = self.collection(c).query(c.get("where"), sort=c.get("sort", []), limit=c.get("limit"))
        return [item.key for item in items]

    def transaction(self, c: dict[str, Any]) -> None:
        database = self.workspace.database("main")
        with database.transaction() as transaction:
            for put in c["puts"]:
                transaction.collection(database.collection(put["in"])).put(put["key"], put["value"])

    def splice(self, c: dict[str, Any]) -> None:
        self.document(c).splice_text(c["at"], c.get("position", 0), c.get("delete", 0), c["text"])

    def text(self, c: dict[str, Any]) -> Any:
        return self.document(c).text(c["at"])

    def set(self, c: dict[str, Any]) -> None:
        self.document(c).set(c["at"], c["value"])

    def increment(self, c: dict[str, Any]) -> None:
        self.document(c).increment(c["at"], c.get("amount", 1))

    def look(self, c: dict[str, Any]) -> Any:
        return self.document(c).get(c["at"])

    def history(self, c: dict[str, Any]) -> list[str]:
        return [version.kind for version in self.collection(c).history(c["key"])]

    def changes(self, c: dict[str, Any]) -> dict[str, Any]:
        changes = self.workspace.database("main").log().changes_since(c.get("cursor"), limit=1_000)
        return {"keys": sorted(item.key for item in changes.items if item.key), "cursor": changes.cursor}

    def entries(self, _: dict[str, Any]) -> int:
        return len(self.workspace.database("main").log().entry_ids())

    def me(self, _: dict[str, Any]) -> str:
        return self.workspace.me.user

    def members(self, _: dict[str, Any]) -> list[str]:
        return sorted(member.role for member in self.workspace.members())

    def root(self, _: dict[str, Any]) -> str:
        return str(self.workspace.stats().root)


def main() -> None:
    driver = Driver()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": getattr(driver, command["op"])(command)}
        except tidelog.TidelogError as error:
            answer = {"error": error.code, "reason": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
