#!/usr/bin/env node
/** argv → command. The only file that reads process.*; everything else is given what it needs. */
import type { Command } from 'commander';
import type { CommandIo } from './commands/io.ts';
import { catchSignals } from './commands/signals.ts';
import { explainOldNode } from './node-version.ts';
import { dropWarning } from './node-warnings.ts';

// These three load nothing else, so that they run on a Node that is too old for the rest.
const tooOld = explainOldNode(process.versions.node);
if (tooOld !== undefined) {
  process.stderr.write(`pullwarden: ${tooOld}\n`);
  process.exit(1);
}
dropWarning(process, 'DEP0060');

// First of all, and so before anything else is loaded: until it is caught, a SIGHUP or SIGTERM ends the process.
const signals = process.argv[2] === 'serve' ? catchSignals(process) : undefined;

const { Command: Program, CommanderError, Option } = await import('commander');
const { CommandError } = await import('./commands/io.ts');
const { ConfigError, formatFault } = await import('./config/errors.ts');
const { TrustError } = await import('./trust-client/errors.ts');
const { readVersion } = await import('./version.ts');

const DEFAULT_CONFIG = './pullwarden.yaml';

const io: CommandIo = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
};

/** A file a command reads; each command is loaded when it runs, so that `check` does not wait for the server. */
const configOption = () => new Option('--config <file>', 'configuration file').default(DEFAULT_CONFIG);

type CanaryFlags = {
  readonly client: string;
  readonly image?: string;
  readonly as?: string;
  readonly proxy?: string;
  readonly timeout: string;
  readonly textfile?: string;
  readonly json: boolean;
  readonly config?: string;
};

function createProgram(finish: (code: number) => void): Command {
  const program = new Program('pullwarden')
    .description('A reverse proxy for container registries that lets only signed tags through.')
    .version(readVersion())
    .showSuggestionAfterError()
    .configureOutput({
      outputError: (text, write) =>
        write(`pullwarden: ${text.replace(/^error: /, '').trimEnd()}; see --help\n`),
    })
    .exitOverride();

  program
    .command('serve')
    .description('run the proxy')
    .addOption(configOption())
    .action(async ({ config }: { config: string }) => {
      const { runServe } = await import('./commands/serve.ts');
      const revision = process.env['PULLWARDEN_REVISION'] ?? '';
      const caught = signals ?? catchSignals(process);
      const deps = { signals: caught, err: io.err, node: process.version, revision };
      // Not when nothing is left to do: a slow client or a reader of the log that hangs would keep the process.
      process.exit(await runServe(config, deps));
    });

  program
    .command('check')
    .description('validate a configuration file and the files it names')
    .addOption(configOption())
    .action(async ({ config }: { config: string }) => {
      const { runCheck } = await import('./commands/check.ts');
      finish(await runCheck(config, io));
    });

  program
    .command('inspect')
    .description('show what is signed in a repository, by whom, with which keys, and until when')
    .argument('<image>', '[registry/]repository[:tag]')
    .option('--json', 'as JSON', false)
    .addOption(configOption())
    .action(async (image: string, options: { config: string; json: boolean }) => {
      const { runInspect } = await import('./commands/inspect.ts');
      finish(await runInspect(image, options, io));
    });

  program
    .command('pin')
    .description('show the root keys of a repository; write the pin when they are the expected ones')
    .argument('<image>', '[registry/]repository')
    .option('--expect <id>', 'write the pin if the repository shows this key ID (TUF or canonical)')
    .addOption(configOption())
    .action(async (image: string, options: { config: string; expect?: string }) => {
      const { runPin } = await import('./commands/pin.ts');
      finish(await runPin(image, { expect: undefined, ...options }, io));
    });

  program
    .command('trust')
    .description('what is remembered of repositories')
    .command('reset')
    .description('forget a repository on purpose, after it was re-created with other keys; keeps a record')
    .argument('<image>', '[registry/]repository')
    .requiredOption('--reason <text>', 'why, for whoever reads the record')
    .addOption(configOption())
    .action(async (image: string, options: { config: string; reason: string }) => {
      const { runTrustReset } = await import('./commands/trust-reset.ts');
      finish(await runTrustReset(image, options, io));
    });

  program
    .command('clients')
    .description('print client configuration that fails closed for this proxy, and how to finish the lock')
    .argument('<client>', 'dockerd | containerd | podman | k3s | buildkit')
    .option('--proxy <url>', 'address of the proxy as clients use it; default: derived from listen')
    .option('--ca <file>', "path on the node of the authority of the proxy's certificate")
    .option(
      '--as <form>',
      'dockerd: registry-host | mirror | https-proxy; podman: mirror | remap; k3s: k3s | rke2',
    )
    .option('--out <folder>', 'write the files below this folder instead')
    .addOption(configOption())
    .action(
      async (
        client: string,
        options: { config: string; proxy?: string; ca?: string; as?: string; out?: string },
      ) => {
        const { runClients } = await import('./commands/clients.ts');
        const unset = { proxy: undefined, ca: undefined, as: undefined, out: undefined };
        finish(await runClients(client, { ...unset, ...options }, io));
      },
    );

  program
    .command('doctor')
    .description("read this node's client configuration and name every way around the proxy")
    .option('--proxy <url>', 'address of the proxy as clients use it; enough without a configuration file')
    .option('--root <folder>', "where the node's file system is", '/')
    .option('--config <file>', `configuration file (default: "${DEFAULT_CONFIG}", unless --proxy is given)`)
    .action(async (options: { config?: string; proxy?: string; root: string }) => {
      const { runDoctor } = await import('./commands/doctor.ts');
      const config = options.config ?? (options.proxy === undefined ? DEFAULT_CONFIG : undefined);
      finish(await runDoctor({ proxy: undefined, ...options, config }, io));
    });

  program
    .command('canary')
    .description(
      'pull the tag the proxy always refuses through a client of this node, and say what that proves',
    )
    .argument('[options...]', "further options of the client's pull, after --")
    .requiredOption('--client <client>', 'docker | ctr | crictl | nerdctl | podman | skopeo | buildah')
    .option('--image <reference>', 'what the client is to pull; default: the canary of the configuration')
    .option('--as <form>', "registry-host: the proxy's address stands in front of it")
    .option('--proxy <url>', 'address of the proxy as clients use it; enough without a configuration file')
    .option('--timeout <time>', 'for the pull', '60s')
    .option('--textfile <file>', "write the result for node_exporter's textfile collector as well")
    .option('--json', 'as JSON', false)
    .option(
      '--config <file>',
      `configuration file (default: "${DEFAULT_CONFIG}", unless --proxy or --image is given)`,
    )
    .action(async (options: readonly string[], given: CanaryFlags) => {
      const { runCanary } = await import('./commands/canary.ts');
      const isNamed = given.proxy !== undefined || given.image !== undefined;
      const config = given.config ?? (isNamed ? undefined : DEFAULT_CONFIG);
      const unset = { image: undefined, as: undefined, proxy: undefined, textfile: undefined };
      const deps = { io, env: process.env, now: () => new Date() };
      finish(await runCanary({ ...unset, ...given, config, options }, deps));
    });

  program
    .command('demo')
    .description('show it at work: an embedded registry and Notary server behind the proxy')
    .option('--once', 'exit after the pulls: 0 when every answer was right', false)
    .action(async ({ once }: { once: boolean }) => {
      const { runDemo } = await import('./commands/demo.ts');
      finish(await runDemo({ once }, { io, signals: process }));
    });

  program
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .option('--write <file>', 'write it to a file instead')
    .action(async ({ write }: { write?: string }) => {
      const { runSchema } = await import('./commands/schema.ts');
      finish(await runSchema(write, io));
    });

  return program;
}

/** Every failure is one line that names the cause; a fault of our own keeps its stack. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof ConfigError) {
    for (const fault of error.faults) io.err(formatFault(fault));
    for (const line of error.example?.trimEnd().split('\n') ?? []) io.err(line);
  } else if (error instanceof CommandError) io.err(`pullwarden: ${error.message}`);
  else if (error instanceof TrustError) io.err(`pullwarden: ${error.code}: ${error.message}`);
  else io.err(`pullwarden: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

try {
  const program = createProgram((code) => {
    process.exitCode = code;
  });
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}
