#!/usr/bin/env node
/** argv → command. The only file that reads process.*; everything else is given what it needs. */
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

const { CommanderError } = await import('commander');
const { createProgram } = await import('./commands/verbs.ts');
const { CommandError } = await import('./commands/io.ts');
const { ConfigError, formatFault } = await import('./config/errors.ts');
const { TrustError } = await import('./trust-client/errors.ts');
const { readVersion } = await import('./version.ts');

const io: CommandIo = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
};

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
  const program = createProgram(readVersion(), {
    io,
    finish: (code) => {
      process.exitCode = code;
    },
    exit: (code) => process.exit(code),
    env: process.env,
    signals: process,
    caught: () => signals ?? catchSignals(process),
  });
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}
