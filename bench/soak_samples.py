"""What a soak looks at every minute: memory and open files of each process, sizes of tables, lateness."""

import statistics
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.end_to_end.processes import ServiceProcess, Stack

TABLES = ("scheduled_jobs", "schedules", "replicas", "job_states", "job_results", "attempts")

# A partitioned table has its size in its partitions; one that is not has no tree.
_TABLES = """
    SELECT t.name,
           coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(t.name::regclass)),
                    pg_total_relation_size(t.name::regclass))::bigint AS bytes,
           coalesce((SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = t.name), 0) AS dead
    FROM unnest($1::text[]) AS t(name)
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM job_results) AS results, (SELECT count(*) FROM scheduled_jobs) AS live,
           (SELECT count(*) FROM scheduled_jobs WHERE run_after < now() - interval '1 second') AS overdue
"""
_LATENESS = """
    SELECT (report->>'lateness_p99_ms')::float AS p99 FROM replicas
    WHERE kind = 'scheduler' AND renewed_at > now() - interval '3 seconds' AND report->>'lateness_p99_ms' IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment; `results` counts those of the whole installation so far."""

    results: int
    memory_mb: float
    open_files: int


@dataclass
class Samples:
    stack: Stack
    # By the process's name and id: a process that was started again is another one.
    lifetimes: dict[tuple[str, int], list[Seen]] = field(default_factory=dict)
    tables: list[dict[str, int]] = field(default_factory=list)
    dead: list[dict[str, int]] = field(default_factory=list)
    lateness_p99_ms: list[float] = field(default_factory=list)
    results: int = 0

    async def take(self, processes: dict[str, ServiceProcess]) -> dict[str, Any]:
        """The figures of this moment, to be shown."""
        (counts,) = await self.stack.fetch(_COUNTS)
        tables = await self.stack.fetch(_TABLES, list(TABLES))
        lateness = [row["p99"] for row in await self.stack.fetch(_LATENESS)]
        self.results = counts["results"]
        self.tables.append({row["name"]: row["bytes"] for row in tables})
        self.dead.append({row["name"]: row["dead"] for row in tables if row["dead"]})
        self.lateness_p99_ms += lateness
        memory = {}
        for name, process in processes.items():
            if seen := self._see(process):
                self.lifetimes.setdefault((name, process.pid), []).append(seen)
                memory[name] = seen.memory_mb
        return {
            **counts,
            "memory_mb": memory,
            "table_mb": {name: round(size / 1e6, 2) for name, size in self.tables[-1].items()},
            "dead_rows": self.dead[-1],
            "lateness_p99_ms": lateness,
        }

    def _see(self, process: ServiceProcess) -> Seen | None:
        """None while it is not running."""
        try:
            looked_at = psutil.Process(process.pid)
            memory, files = looked_at.memory_info().rss, looked_at.num_fds()
        except (RuntimeError, psutil.Error):
            return None
        return Seen(self.results, round(memory / 1e6, 1), files)

    def summary(self) -> dict[str, Any]:
        """First and last of each; the first is taken after a tenth of the time, when all are warm."""
        early = min(max(1, len(self.tables) // 10), len(self.tables) - 1)
        first, last = self.tables[early], self.tables[-1]
        grown = ("job_results", "attempts")
        return {
            "processes": {role: self._longest(role) for role in ("scheduler", "runner")},
            "table_mb": {
                name: {"first": _mb(first[name]), "last": _mb(last[name]), "most": _mb(self._most(name))}
                for name in TABLES
                if name not in grown
            },
            "most_dead_rows": {name: max(each.get(name, 0) for each in self.dead) for name in TABLES},
            "bytes_per_result": {name: round(last[name] / max(1, self.results)) for name in grown},
            "lateness_p99_ms": {
                "median": round(statistics.median(self.lateness_p99_ms), 2),
                "worst": max(self.lateness_p99_ms),
            }
            if self.lateness_p99_ms
            else {},
            "samples": len(self.tables),
        }

    def _most(self, table: str) -> int:
        return max(each[table] for each in self.tables)

    def _longest(self, role: str) -> dict[str, Any]:
        """Of the longest-lived process of a role: what it grew by once it was warm."""
        lived = max((seen for (name, _), seen in self.lifetimes.items() if name.startswith(role)), key=len)
        first, last = lived[min(max(1, len(lived) // 10), len(lived) - 1)], lived[-1]
        results = last.results - first.results
        growth = (last.memory_mb - first.memory_mb) / results * 10_000 if results else None
        return {
            "minutes": len(lived) - 1,
            "memory_mb": {"first": first.memory_mb, "last": last.memory_mb},
            "mb_per_10000_results": None if growth is None else round(growth, 3),
            "open_files": {"first": first.open_files, "last": last.open_files},
        }


def _mb(size: int) -> float:
    return round(size / 1e6, 2)
