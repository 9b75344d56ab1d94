/** Who may import whom (proxy/README.md, "What each folder may touch"), and other promises about the tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const PROXY = join(import.meta.dirname, '../proxy');

/**
 * By place, the most specific first: what its files may import besides their own folder. A name without a slash is a
 * package or the start of one; the rest are paths below proxy/, a folder where it ends in a slash.
 */
const ALLOWED: readonly (readonly [place: string, imports: readonly string[]])[] = [
  ['main.ts', ['commands/', 'config/errors.ts', 'trust-client/errors.ts', 'version.ts', 'commander']],
  ['version.ts', ['node:fs']],
  ['reason.ts', []],
  ['app.ts', ['koa', 'node:http', 'listen/peer.ts', 'pull.ts', 'pull/', 'registry/']],
  ['server.ts', ['listen/', 'node:', 'registry/']],
  ['listen/targets.ts', ['registry/registry-table.ts', 'node:net']],
  ['listen/', ['registry/registry-table.ts', 'registry/types.ts', 'registry/wire-errors.ts', 'node:']],
  ['listen-parts.ts', ['config/types.ts', 'listen/', 'server.ts', 'node:fs']],
  ['pull.ts', ['pull/', 'policy/', 'registry/']],
  ['pull/', ['policy/', 'registry/', 'telemetry/decisions.ts', 'trust-client/types.ts', 'reason.ts']],
  ['trust-parts.ts', ['cache/', 'config/types.ts', 'policy/', 'registry/', 'trust-client/', 'node:fs']],
  [
    'parts.ts',
    [
      'admin/types.ts',
      'background.ts',
      'cache/',
      'config/types.ts',
      'pull/',
      'registry/',
      'telemetry/',
      'trust-client/',
      'trust-parts.ts',
    ],
  ],
  [
    'observers.ts',
    [
      'admin/',
      'cache/trust-cache.ts',
      'config/types.ts',
      'listen/connect.ts',
      'registry/outcome.ts',
      'telemetry/',
    ],
  ],
  [
    'runtime.ts',
    [
      'admin/',
      'app.ts',
      'cache/',
      'config/types.ts',
      'listen-parts.ts',
      'observers.ts',
      'parts.ts',
      'policy/canary.ts',
      'pull.ts',
      'pull/',
      'registry/',
      'server.ts',
      'telemetry/',
      'threads/',
      'trust-parts.ts',
      'node:',
    ],
  ],
  [
    'commands/',
    [
      'cache/state-reset.ts',
      'clients/',
      'config/',
      'demo/',
      'registry/reference.ts',
      'runtime.ts',
      'telemetry/canary-textfile.ts',
      'trust-client/',
      'trust-parts.ts',
      'version.ts',
      'undici',
      'node:',
    ],
  ],
  ['telemetry/log-writer.ts', ['pino', 'node:']],
  ['registry/room.ts', ['listen/limits.ts', 'node:']],
  ['registry/body-room.ts', ['listen/limits.ts', 'node:']],
  ['registry/passthrough-bodies.ts', ['listen/limits.ts', 'node:']],
  ['registry/held-body.ts', ['listen/limits.ts', 'node:']],
  ['registry/held-answers.ts', ['listen/client-key.ts', 'node:']],
  ['registry/tags.ts', ['listen/client-key.ts', 'listen/limits.ts']],
  ['registry/passthrough.ts', ['http-proxy', 'reason.ts', 'node:']],
  ['registry/connections.ts', ['listen/public-address.ts', 'undici', 'node:']],
  ['registry/redirect.ts', ['listen/public-address.ts', 'node:']],
  ['registry/', ['reason.ts', 'undici', 'node:']],
  ['policy/', ['registry/reference.ts', 'trust-client/types.ts', 'trust-client/errors.ts', 'reason.ts']],
  ['threads/', ['trust-client/', 'node:os', 'node:worker_threads']],
  ['background.ts', ['cache/', 'registry/http-client.ts', 'trust-client/changefeed.ts']],
  ['trust-client/notary-source.ts', ['registry/']],
  ['trust-client/changefeed.ts', ['registry/']],
  ['trust-client/', ['registry/reference.ts', 'reason.ts', '@noble/', 'node:crypto']],
  [
    'cache/',
    [
      'listen/client-key.ts',
      'trust-client/',
      'policy/types.ts',
      'registry/reference.ts',
      'registry/deadline.ts',
      'lru-cache',
      'zod',
      'node:crypto',
      'node:fs',
      'node:path',
    ],
  ],
  [
    'telemetry/metrics.ts',
    ['policy/types.ts', 'trust-client/types.ts', 'trust-client/errors.ts', 'prom-client'],
  ],
  [
    'telemetry/',
    [
      'policy/types.ts',
      'registry/outcome.ts',
      'trust-client/types.ts',
      'trust-client/errors.ts',
      'reason.ts',
      'prom-client',
      'pino',
    ],
  ],
  ['admin/', ['policy/types.ts', 'telemetry/', 'trust-client/types.ts', 'koa', 'node:']],
  [
    'config/',
    [
      'listen/targets.ts',
      'policy/',
      'registry/reference.ts',
      'registry/registry-table.ts',
      'yaml',
      'zod',
      'node:',
    ],
  ],
  ['clients/doctor/node-files.ts', ['clients/', 'node:']],
  [
    'clients/',
    [
      'clients/',
      'config/types.ts',
      'policy/',
      'registry/reference.ts',
      'smol-toml',
      'yaml',
      'node:crypto',
      'node:net',
      'node:path',
    ],
  ],
  ['demo/', ['demo/', 'trust-client/', 'registry/reference.ts', 'node:']],
];

const files = readdirSync(PROXY, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

function read(file: string): string {
  return readFileSync(join(PROXY, file), 'utf8');
}

/** What a file imports: paths below proxy/, or package names. */
function importsOf(file: string): readonly string[] {
  const specifiers = [...read(file).matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, name]) => name ?? '');
  return specifiers.map((name) =>
    name.startsWith('.') ? relative(PROXY, join(PROXY, dirname(file), name)) : name,
  );
}

function isAllowed(file: string, imported: string, allowed: readonly string[]): boolean {
  const folder = file.includes('/') ? `${dirname(file)}/` : undefined;
  if (folder !== undefined && imported.startsWith(folder)) return true;
  return allowed.some(
    (name) =>
      imported === name ||
      (/[:/]$/.test(name) && imported.startsWith(name)) ||
      imported.startsWith(`${name}/`),
  );
}

describe('imports go one way', () => {
  test.each(files)('%s', (file) => {
    const [, allowed] =
      ALLOWED.find(([place]) => file === place || (place.endsWith('/') && file.startsWith(place))) ?? [];
    if (allowed === undefined) throw new Error(`${file} is in no place that has a rule; add one and say why`);
    expect(importsOf(file).filter((imported) => !isAllowed(file, imported, allowed))).toEqual([]);
  });
});

/** Code without its comments, as far as these checks need it. */
function codeOf(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
}

test('only main.ts reads process', () => {
  expect(files.filter((file) => file !== 'main.ts' && /\bprocess\./.test(codeOf(file)))).toEqual([]);
});

test('only commands/run-client.ts runs other programs', () => {
  const running = files.filter((file) => importsOf(file).includes('node:child_process'));
  expect(running).toEqual(['commands/run-client.ts']);
});

test('policy/ is pure: no promise, no clock, no environment', () => {
  const impure = /\basync\b|\bawait\b|\bPromise\b|Date\.now|new Date\(\)|performance\./;
  expect(files.filter((file) => file.startsWith('policy/') && impure.test(codeOf(file)))).toEqual([]);
});

test('trust-client/ is given its time', () => {
  // It measures how long it works between two pauses; nothing that is believed depends on that.
  const clock = /Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval/;
  const using = files.filter((file) => file.startsWith('trust-client/') && clock.test(codeOf(file)));
  expect(using).toEqual(['trust-client/steps.ts']);
});

test('only registry/confirmed.ts makes a Confirmed', () => {
  // Under its own name or the one types.ts gives it; renaming in an import or export makes none.
  const renaming = /^(?:import|export)\b[^;]*?\bfrom\b[^;]*;/gm;
  const made = /\bas\s+(?:Confirmed|SignedManifest)\b/;
  const making = files.filter((file) => made.test(codeOf(file).replace(renaming, '')));
  expect(making).toEqual(['registry/confirmed.ts']);
});

test('no file is longer than 300 lines', () => {
  expect(files.filter((file) => read(file).split('\n').length > 301)).toEqual([]);
});
