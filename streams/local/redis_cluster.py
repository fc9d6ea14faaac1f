"""A real Redis Cluster on loopback: three masters and, for failover, a replica of each.

The nodes are joined with plain CLUSTER commands, the way `redis-cli --cluster create` does it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import redis

from streams.local.process import free_ports, wait_until
from streams.local.redis_server import RedisServer

SLOTS = 16_384
# Nodes that do not answer for this long are taken for dead. Short, since everything is on one machine.
NODE_TIMEOUT_MS = 1_500
FORM_TIMEOUT_S = 30.0


class RedisCluster:
    """`masters` nodes that share the slots evenly, each with `replicas` replicas, under `directory`."""

    def __init__(
        self, directory: Path, *, masters: int = 3, replicas: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        count = masters * (1 + replicas)
        ports = free_ports(2 * count)
        self._bus_ports = ports[count:]
        self.nodes = [
            RedisServer(
                directory / f"node-{index}",
                port=ports[index],
                config={
                    "cluster-enabled": "yes",
                    "cluster-config-file": "nodes.conf",
                    "cluster-node-timeout": str(NODE_TIMEOUT_MS),
                    # Named, since the default (port + 10000) may be taken.
                    "cluster-port": str(self._bus_ports[index]),
                    # Replicas copy their master at once instead of waiting 5 s for others to copy with them.
                    "repl-diskless-sync-delay": "0",
                    # A replica is listed once it has received something; on an idle master that is this ping (10 s).
                    "repl-ping-replica-period": "1",
                    # A master with nothing to do must still be allowed to lose its replica in a test.
                    "cluster-migration-barrier": "99",
                    **(config or {}),
                },
            )
            for index in range(count)
        ]
        self._masters = masters

    @property
    def masters(self) -> list[RedisServer]:
        """The nodes that were made masters; after a failover see `owner_of`."""
        return self.nodes[: self._masters]

    @property
    def url(self) -> str:
        """The address of one node that runs; clients find the others through it."""
        return next(node.url for node in self.nodes if node.running)

    def start(self) -> None:
        """Start all nodes, join them and wait until every node sees the whole cluster."""
        try:
            for node in self.nodes:
                node.start()
            self._join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all nodes; nothing of theirs is worth waiting for, so they are killed."""
        for node in self.nodes:
            # A frozen process dies by SIGKILL too.
            node.kill()

    def client(self) -> redis.RedisCluster:
        """A new blocking cluster client. Close it."""
        node = next(node for node in self.nodes if node.running)
        return redis.RedisCluster(host=node.host, port=node.port, socket_timeout=5.0)

    def owner_of(self, key: str) -> RedisServer:
        """The node that is master for the slot of `key` now."""
        with next(node for node in self.nodes if node.running).client() as admin:
            slot = int(admin.execute_command("CLUSTER KEYSLOT", key))
            for first, last, master, *_replicas in _raw_slots(admin):
                if int(first) <= slot <= int(last):
                    return next(node for node in self.nodes if node.port == int(master[1]))
        raise LookupError(f"no node owns slot {slot}")

    def fail_over(self, key: str, *, timeout_s: float = FORM_TIMEOUT_S) -> RedisServer:
        """Kill the master that owns `key` and wait until a replica took its place, which is returned."""
        dead = self.owner_of(key)
        dead.kill()
        wait_until(lambda: self.owner_of(key) is not dead, timeout_s=timeout_s, what="a replica to take over")
        fresh = self.owner_of(key)

        def whole() -> bool:
            with fresh.client() as admin:
                return _state(admin) == "ok"

        wait_until(whole, timeout_s=timeout_s, what="the cluster to be whole again")
        return fresh

    def _join(self) -> None:
        for index, node in enumerate(self.nodes):
            with node.client() as admin:
                # Different epochs from the start, so that no two nodes have to argue about slots.
                admin.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
                if index < self._masters:
                    first, last = SLOTS * index // self._masters, SLOTS * (index + 1) // self._masters - 1
                    admin.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
                for other, bus_port in zip(self.nodes[:index], self._bus_ports, strict=False):
                    admin.execute_command("CLUSTER MEET", other.host, other.port, bus_port)
        self._wait_everywhere(lambda admin: _known_nodes(admin) == len(self.nodes), "the nodes to know each other")
        for index, node in enumerate(self.nodes[self._masters :]):
            with self.nodes[index % self._masters].client() as admin:
                master_id = bytes(admin.execute_command("CLUSTER MYID"))
            with node.client() as admin:
                admin.execute_command("CLUSTER REPLICATE", master_id)
        self._wait_everywhere(self._settled, "the cluster to be whole")

    def _settled(self, admin: redis.Redis) -> bool:
        slots = _raw_slots(admin)
        everybody = sum(1 + len(replicas) for _first, _last, _master, *replicas in slots)
        role = admin.execute_command("ROLE")
        linked = bytes(role[0]) == b"master" or bytes(role[3]) == b"connected"
        return _state(admin) == "ok" and everybody == len(self.nodes) and linked

    def _wait_everywhere(self, condition: Callable[[redis.Redis], bool], what: str) -> None:
        for node in self.nodes:
            with node.client() as admin:
                wait_until(partial(condition, admin), timeout_s=FORM_TIMEOUT_S, what=what)


def _raw_slots(admin: redis.Redis) -> list[Any]:
    """[first slot, last slot, [host, port, id] of the master, the same of each replica], one entry a slot range."""
    slots: list[Any] = admin.execute_command("CLUSTER SLOTS")
    return slots


def _state(admin: redis.Redis) -> str:
    return str(admin.execute_command("CLUSTER INFO")["cluster_state"])


def _known_nodes(admin: redis.Redis) -> int:
    return int(admin.execute_command("CLUSTER INFO")["cluster_known_nodes"])
