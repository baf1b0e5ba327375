/** Every command of missd. Each is loaded on demand, to save memory in the daemon. */
import type { Command } from 'commander';

export const COMMANDS = new Map<string, () => Promise<() => Command>>([
  ['run', async () => (await import('./run.ts')).runCommand],
  ['endpoint', async () => (await import('./endpoint.ts')).endpointCommand],
  ['subnet', async () => (await import('./subnet.ts')).subnetCommand],
  ['network', async () => (await import('./network.ts')).networkCommand],
  ['explain', async () => (await import('./explain.ts')).explainCommand],
  ['status', async () => (await import('./status.ts')).statusCommand],
  ['top', async () => (await import('./top.ts')).topCommand],
  ['doctor', async () => (await import('./doctor.ts')).doctorCommand],
  ['service', async () => (await import('./service.ts')).serviceCommand],
  ['leave', async () => (await import('./leave.ts')).leaveCommand],
  ['flush', async () => (await import('./flush.ts')).flushCommand],
  ['lab', async () => (await import('./lab.ts')).labCommand],
]);
