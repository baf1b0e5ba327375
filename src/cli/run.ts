import { Command } from 'commander';
import { type RunOptions, declare, resolve } from '../config/options.ts';
import { listenControl } from '../daemon/control-server.ts';
import { Daemon } from '../daemon/daemon.ts';
import { openDirectory, openRedis } from '../directory/open.ts';
import type { OnMalformed } from '../directory/redis/leases.ts';
import { RenewableDirectory } from '../directory/renewable.ts';
import { RuntimeFailure, UsageError, reasonOf } from '../base/errors.ts';
import { judgeJoin } from '../join/site.ts';
import { onHangup } from '../daemon/hangup.ts';
import { listen } from '../observe/http/server.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { openLog } from '../base/log.ts';
import { openRegistry } from '../observe/metrics/registry.ts';
import { Reload } from '../daemon/reload.ts';
import { Notifier } from '../service/notify.ts';
import { supervised } from '../service/supervised.ts';
import { warmUp } from '../daemon/warm-up/warm-up.ts';

const HELP = `
Every option may also be an environment variable (--key-prefix is MISSD_KEY_PREFIX) or a key of the YAML
file of --config. The flag wins over the variable, the variable over the file. Lists take commas.

Examples:
  missd run                                          serve every VXLAN device here that raises misses
  missd run --netns blue --netns /run/docker/netns/1-x   serve these namespaces
  missd run --redis redis+sentinel://s1:26379,s2:26379/mymaster
  missd run --directory endpoints.yaml               no Redis at all

SIGHUP reads the file of --config, passwords and certificates again.`;

export function runCommand(): Command {
  const command = declare(new Command('run'), 'run')
    .summary('the per-host daemon')
    .description("Answers the kernel's VXLAN misses from the directory, until SIGTERM or SIGINT.")
    .addHelpText('after', HELP);
  return command.action(async () => {
    await run(resolve(command, 'run'), options);
  });
}

/** The same words, environment and files once more. @throws UsageError */
function options(): RunOptions {
  const command = declare(new Command('run'), 'run')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    command.parse(process.argv.slice(process.argv.indexOf('run') + 1), { from: 'user' });
  } catch (error) {
    throw new UsageError(reasonOf(error), { cause: error });
  }
  return resolve(command, 'run');
}

/** Runs until SIGTERM or SIGINT. @throws RuntimeFailure when no namespace can be served */
async function run(options: RunOptions, again: () => RunOptions): Promise<void> {
  await judgeJoin(options);
  const log = openLog(options);
  const notifier = Notifier.take();
  const onMalformed: OnMalformed = (vni, reason, example) => {
    daemon.report.malformed(vni, reason, example);
  };
  const directory = new RenewableDirectory(await openDirectory(options, onMalformed, log), (reason) => {
    log.warn(`the new password or certificate for Redis is not taken, the old connection stays: ${reason}`);
  });
  const daemon = new Daemon(options, new LinuxKernel(), directory, log, options.stateDir);
  const ended = new Promise<void>((resolve, reject) => {
    daemon.onFailure((reason) => {
      reject(new RuntimeFailure(reason));
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        log.info(`${signal}: stopping, entries ${options.flushOnExit === true ? 'go' : 'stay'}`);
        resolve();
      });
  });
  // Reported where it is awaited; until then it may be rejected already.
  ended.catch(() => undefined);
  await warmUp(options);
  const server = await listen(options.listen, daemon, openRegistry(daemon), options.wait);
  log.info(
    `http://${options.listen.host}:${options.listen.port}: /metrics /healthz /readyz /status /history`,
  );
  const closeControl = await listenControl(
    options.stateDir,
    {
      flush: (request) => daemon.flushServed(request),
      leave: (request) => daemon.networks.leave(request),
    },
    (reason) => {
      log.warn(`missd flush and missd leave cannot ask this daemon: ${reason}`);
    },
  );
  const supervision = supervised(daemon, notifier, log);
  try {
    daemon.start();
    const reload = new Reload(options, log, {
      read: again,
      apply: (live, changed) => {
        daemon.reload(live, changed);
      },
      connect: (target) => {
        directory.renew(openRedis(target, options.keyPrefix, onMalformed));
      },
    });
    onHangup(() => {
      reload.run();
    });
    await ended;
    supervision.unsubscribe();
    if (options.flushOnExit === true) await daemon.flush();
  } finally {
    supervision.unsubscribe();
    closeControl();
    server.close();
    await daemon.stop();
  }
}
