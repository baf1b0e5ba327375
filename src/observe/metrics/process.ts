/** The process under the names that every Prometheus client uses, and what is Node's of it. */
import { readFileSync, readdirSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { monotonic } from '../../base/clock.ts';
import { VERSION } from '../../base/version.ts';
import type { Exposition } from './exposition.ts';
import { Runtime } from './runtime.ts';

/** @param dumpSeconds processor time that reading tables whole has taken */
export function publishProcess(to: Exposition, dumpSeconds: () => number): void {
  const runtime = new Runtime();
  const startedAt = (Date.now() - monotonic()) / 1000;
  to.gauge('missd_build_info', 'Always 1; what runs here', () => [
    [{ version: VERSION, node: process.versions.node }, 1],
  ]);
  to.histogram(
    'missd_event_loop_delay_seconds',
    'How late a timer was that fires ten times a second',
    () => runtime.loopDelay,
  );
  to.counter(
    'missd_event_loop_active_seconds_total',
    'Time that the event loop was not waiting for anything',
    () => performance.eventLoopUtilization().active / 1000,
  );
  to.counter(
    'missd_table_dump_cpu_seconds_total',
    'Processor time of reading kernel tables whole, nearly all of it the kernel’s; contained in process_cpu_seconds_total',
    dumpSeconds,
  );
  to.histogram('nodejs_gc_duration_seconds', 'Collections of garbage, by kind', () =>
    runtime.collections.map(({ kind, seconds }) => [{ kind }, seconds]),
  );
  to.gauge('nodejs_heap_size_used_bytes', 'Heap in use', () => getHeapStatistics().used_heap_size);
  to.gauge('nodejs_heap_size_total_bytes', 'Heap taken', () => getHeapStatistics().total_heap_size);
  to.gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers and the addon',
    () => getHeapStatistics().external_memory,
  );
  to.counter('process_cpu_seconds_total', 'Processor time, user and system', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  to.gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  to.gauge('process_virtual_memory_bytes', 'Virtual memory', virtualMemory);
  to.gauge('process_start_time_seconds', 'Start of the process, seconds since the epoch', () => startedAt);
  const most = mostFiles();
  to.gauge('process_open_fds', 'Open file descriptors', () => openFiles(most));
  to.gauge('process_max_fds', 'File descriptors that may be open', () => most);
}

/** To count them takes one: where there is none left, all are open. */
function openFiles(most: number): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return most;
  }
}

/** Bytes (proc_pid_status(5)); not a number where no descriptor is left to read it with. */
function virtualMemory(): number {
  try {
    return Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return NaN;
  }
}

function mostFiles(): number {
  const most = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return most === 'unlimited' ? Infinity : Number(most);
}
