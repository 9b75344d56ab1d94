/**
 * Every verb of the command line with its options, one function each; a command is loaded when it runs, so that `check`
 * does not wait for the server.
 */
import { Command, Option } from 'commander';
import type { CommandIo } from './io.ts';
import type { CaughtSignals, Signals } from './signals.ts';

const DEFAULT_CONFIG = './pullwarden.yaml';

/** What a verb is given of the process. */
export type Cli = {
  readonly io: CommandIo;
  /** Tells the exit code. */
  readonly finish: (code: number) => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: Signals;
  /** Signals that were caught from the first moment on. */
  readonly caught: () => CaughtSignals;
};

type Register = (program: Command, cli: Cli) => void;

export function createProgram(version: string, cli: Cli): Command {
  const program = new Command('pullwarden')
    .description('A reverse proxy for container registries that lets only signed tags through.')
    .version(version)
    .showSuggestionAfterError()
    .configureOutput({
      outputError: (text, write) =>
        write(`pullwarden: ${text.replace(/^error: /, '').trimEnd()}; see --help\n`),
    })
    .exitOverride();
  for (const register of VERBS) register(program, cli);
  return program;
}

const configOption = () => new Option('--config <file>', 'configuration file').default(DEFAULT_CONFIG);
const PROXY = ['--proxy <url>', 'address of the proxy as clients use it'] as const;
const PROXY_ALONE = [PROXY[0], `${PROXY[1]}; enough without a configuration file`] as const;

const serve: Register = (program, { io, exit, env, signals, caught }) => {
  program
    .command('serve')
    .description('run the proxy')
    .addOption(configOption())
    .action(async ({ config }: { config: string }) => {
      const { runServe } = await import('./serve.ts');
      const revision = env['PULLWARDEN_REVISION'] ?? '';
      const deps = { signals: caught(), err: io.err, node: signals.version, revision };
      // Not when nothing is left to do: a slow client or a reader of the log that hangs would keep the process.
      exit(await runServe(config, deps));
    });
};

const check: Register = (program, { io, finish }) => {
  program
    .command('check')
    .description('validate a configuration file and the files it names')
    .addOption(configOption())
    .action(async ({ config }: { config: string }) => {
      const { runCheck } = await import('./check.ts');
      finish(await runCheck(config, io));
    });
};

const inspect: Register = (program, { io, finish }) => {
  program
    .command('inspect')
    .description('show what is signed in a repository, by whom, with which keys, and until when')
    .argument('<image>', '[registry/]repository[:tag]')
    .option('--json', 'as JSON', false)
    .addOption(configOption())
    .action(async (image: string, options: import('./inspect.ts').InspectOptions) => {
      const { runInspect } = await import('./inspect.ts');
      finish(await runInspect(image, options, io));
    });
};

const pin: Register = (program, { io, finish }) => {
  program
    .command('pin')
    .description('show the root keys of a repository; write the pin when they are the expected ones')
    .argument('<image>', '[registry/]repository')
    .option('--expect <id>', 'write the pin if the repository shows this key ID (TUF or canonical)')
    .addOption(configOption())
    .action(async (image: string, options: import('./pin.ts').PinOptions) => {
      const { runPin } = await import('./pin.ts');
      finish(await runPin(image, options, io));
    });
};

const trustReset: Register = (program, { io, finish }) => {
  program
    .command('trust')
    .description('the trust state of repositories')
    .command('reset')
    .description('forget a repository on purpose, after it was re-created with other keys; keeps a record')
    .argument('<image>', '[registry/]repository')
    .requiredOption('--reason <text>', 'why, for the record')
    .addOption(configOption())
    .action(async (image: string, options: import('./trust-reset.ts').TrustResetOptions) => {
      const { runTrustReset } = await import('./trust-reset.ts');
      finish(await runTrustReset(image, options, io));
    });
};

const clients: Register = (program, { io, finish }) => {
  program
    .command('clients')
    .description('generate fail-closed client configuration, with the firewall rules that complete it')
    .argument('<client>', 'dockerd | containerd | podman | k3s | buildkit')
    .option(PROXY[0], `${PROXY[1]}; default: derived from listen`)
    .option('--ca <file>', "path on the node of the CA certificate that issued the proxy's certificate")
    .option(
      '--as <form>',
      'dockerd: registry-host | mirror | https-proxy; podman: mirror | remap; k3s: k3s | rke2',
    )
    .option('--out <folder>', 'write the files below this folder instead')
    .addOption(configOption())
    .action(async (client: string, options: import('./clients.ts').ClientsOptions) => {
      const { runClients } = await import('./clients.ts');
      finish(await runClients(client, options, io));
    });
};

const doctor: Register = (program, { io, finish }) => {
  program
    .command('doctor')
    .description("read this node's client configuration and name every way around the proxy")
    .option(...PROXY_ALONE)
    .option('--root <folder>', "where the node's file system is", '/')
    .option('--config <file>', `configuration file (default: "${DEFAULT_CONFIG}", unless --proxy is given)`)
    .action(async (options: import('./doctor.ts').DoctorOptions) => {
      const { runDoctor } = await import('./doctor.ts');
      const config = options.config ?? (options.proxy === undefined ? DEFAULT_CONFIG : undefined);
      finish(await runDoctor({ ...options, config }, io));
    });
};

const canary: Register = (program, { io, finish, env }) => {
  program
    .command('canary')
    .description(
      'pull the tag the proxy always refuses through a client of this node, and say what that proves',
    )
    .argument('[options...]', "further options of the client's pull, after --")
    .requiredOption('--client <client>', 'dockerd | ctr | crictl | nerdctl | podman | skopeo | buildah')
    .option('--image <reference>', 'the reference the client pulls; default: the canary of the configuration')
    .option('--as <form>', "registry-host: the reference starts with the proxy's address")
    .option(...PROXY_ALONE)
    .option('--timeout <time>', 'for the pull', '60s')
    .option('--textfile <file>', "write the result for node_exporter's textfile collector as well")
    .option('--json', 'as JSON', false)
    .option(
      '--config <file>',
      `configuration file (default: "${DEFAULT_CONFIG}", unless --proxy or --image is given)`,
    )
    .action(
      async (options: readonly string[], given: Omit<import('./canary.ts').CanaryOptions, 'options'>) => {
        const { runCanary } = await import('./canary.ts');
        const isNamed = given.proxy !== undefined || given.image !== undefined;
        const config = given.config ?? (isNamed ? undefined : DEFAULT_CONFIG);
        finish(await runCanary({ ...given, config, options }, { io, env, now: () => new Date() }));
      },
    );
};

const demo: Register = (program, { io, finish, signals }) => {
  program
    .command('demo')
    .description('show it at work: an embedded registry and Notary server behind the proxy')
    .option('--once', 'exit after the pulls: 0 when every answer was right', false)
    .action(async ({ once }: { once: boolean }) => {
      const { runDemo } = await import('./demo.ts');
      finish(await runDemo({ once }, { io, signals }));
    });
};

const schema: Register = (program, { io, finish }) => {
  program
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .option('--write <file>', 'write it to a file instead')
    .action(async ({ write }: { write?: string }) => {
      const { runSchema } = await import('./schema.ts');
      finish(await runSchema(write, io));
    });
};

/** In the order of the help. */
const VERBS: readonly Register[] = [
  serve,
  check,
  inspect,
  pin,
  trustReset,
  clients,
  doctor,
  canary,
  demo,
  schema,
];
