/** `canary`: pulls the tag that the proxy always refuses, through a client of this node, and reports what that proves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  judgePull,
  PULLING_CLIENTS,
  type PullCommand,
  type PullingClient,
  type PullVerdict,
  toPullCommand,
} from '../clients/canary/pull.ts';
import { canaryReference, hostReference } from '../clients/canary/reference.ts';
import { findClient } from '../clients/client-names.ts';
import { parseDuration } from '../config/duration.ts';
import { loadConfig } from '../config/load-config.ts';
import { toCanaryTextfile } from '../telemetry/canary-textfile.ts';
import { findLock, type LockSource } from './find-lock.ts';
import { CommandError, type CommandIo } from './io.ts';
import { replaceFile } from './replace-file.ts';
import { type RunOptions, runClient } from './run-client.ts';

export type CanaryOptions = LockSource & {
  readonly client: string;
  /** The reference the client pulls; undefined: the configured canary. */
  readonly image?: string | undefined;
  /** `registry-host`: the reference starts with the address of the proxy. */
  readonly as?: string | undefined;
  readonly timeout: string;
  readonly textfile?: string | undefined;
  readonly json: boolean;
  /** Further options of the client's pull. */
  readonly options: readonly string[];
};

export type CanaryDeps = {
  readonly io: CommandIo;
  readonly env: RunOptions['env'];
  readonly now: () => Date;
};

/** Longest time for a pull, in milliseconds. */
const MAX_TIMEOUT_MS = 3_600_000;

const EXITS = { enforced: 0, bypassed: 3, inconclusive: 1 } as const satisfies Record<
  PullVerdict['result'],
  number
>;

type Report = PullVerdict & {
  readonly client: PullingClient;
  readonly image: string;
  readonly command: string;
  readonly next: string | undefined;
  readonly at: Date;
};

/**
 * @returns 0 when the proxy refused the pull, 3 when the image arrived, 1 when the pull proved neither.
 * @throws CommandError or ConfigError when there is nothing to pull, or the text file cannot be written.
 */
export async function runCanary(options: CanaryOptions, deps: CanaryDeps): Promise<number> {
  const client = findClient(options.client, PULLING_CLIENTS);
  if (client === undefined) {
    throw new CommandError(`unknown client "${options.client}"; write one of ${PULLING_CLIENTS.join(', ')}`);
  }
  const timeoutMs = parseTimeout(options.timeout);
  checkTextfile(options.textfile);
  const report = await pull(client, await findImage(options), options, { timeoutMs, ...deps });
  deps.io.out(options.json ? JSON.stringify(report, undefined, 2) : toText(report));
  if (options.textfile !== undefined) await writeTextfile(options.textfile, report);
  return EXITS[report.result];
}

function parseTimeout(text: string): number {
  const milliseconds = parseDuration(text) ?? 0;
  if (milliseconds > 0 && milliseconds <= MAX_TIMEOUT_MS) return milliseconds;
  throw new CommandError(
    `--timeout must be a duration between 1ms and 1h, not "${text}"; write one such as 60s`,
  );
}

async function findImage({ image, as, config, proxy }: CanaryOptions): Promise<string> {
  if (as !== undefined && as !== 'registry-host') {
    throw new CommandError(`canary has no form "${as}"; write registry-host, or leave --as out`);
  }
  if (image !== undefined) {
    if (as !== undefined) throw new CommandError('--image gives the whole reference; leave --as out');
    if (/^-|[^\x21-\x7e]/.test(image) || image === '') {
      throw new CommandError(`invalid image reference "${image}"; write [registry/]repository:tag`);
    }
    return image;
  }
  if (as === undefined && config !== undefined) {
    return canaryReference({ canary: (await loadConfig(config)).policy.canary });
  }
  const lock = await findLock({ config, proxy }, 'canary');
  const reference = as === undefined ? canaryReference(lock) : hostReference(lock);
  if (reference !== undefined) return reference;
  throw new CommandError(
    `${lock.canary.registry} has a port in its name and cannot follow the proxy's address in a reference; give the reference the client uses with --image`,
  );
}

async function pull(
  client: PullingClient,
  image: string,
  { options, image: named, config }: CanaryOptions,
  { timeoutMs, env, now }: CanaryDeps & { readonly timeoutMs: number },
): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'pullwarden-canary-'));
  try {
    const command = toPullCommand(client, { image, options, folder });
    const verdict = judgePull(await runClient(command.program, command.args, { env, timeoutMs }));
    const isGuessed = named !== undefined || config === undefined;
    const next = toNext(verdict, command, isGuessed);
    return {
      ...verdict,
      client,
      image,
      command: toShell([command.program, ...command.args]),
      next,
      at: now(),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function toNext({ result }: PullVerdict, { remove }: PullCommand, isGuessed: boolean): string | undefined {
  const orName = isGuessed ? ', or give the canary of the proxy with --image if this is another tag' : '';
  switch (result) {
    case 'enforced':
      return undefined;
    case 'bypassed': {
      const left = remove === undefined ? 'the image was not kept' : `to remove the image: ${remove}`;
      return `run "pullwarden doctor" to find the way around the proxy${orName}; ${left}`;
    }
    case 'inconclusive':
      return `check that the client works and the proxy is up, run "pullwarden doctor", and pull again${orName}`;
  }
}

function toText({ result, client, image, because, says, command, next }: Report): string {
  const shown = says === '' ? [] : [`output: ${says}`];
  const advice = next === undefined ? '' : `; ${next}`;
  return [`$ ${command}`, ...shown, `${result}: ${image} by ${client}: ${because}${advice}`].join('\n');
}

/** Quoted, to be pasted into a shell. */
function toShell(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

function checkTextfile(path: string | undefined): void {
  if (path === undefined || path.endsWith('.prom')) return;
  throw new CommandError(
    `--textfile ${path} must end in .prom, or node_exporter does not read it; rename it`,
  );
}

async function writeTextfile(path: string, report: Report): Promise<void> {
  try {
    await replaceFile(path, await toCanaryTextfile(report));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `${path} cannot be written: ${code ?? message}; the result is still "${report.result}"; give --textfile a path in an existing, writable folder`,
    );
  }
}
