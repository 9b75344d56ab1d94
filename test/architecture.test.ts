/** Who may import whom (proxy/README.md, "What each folder may touch"), and other promises about the tree. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const PROXY = join(import.meta.dirname, '../proxy');

/**
 * By place, the most specific first: what its files may import besides their own folder. A name without a slash is a
 * package or the start of one; the rest are paths below proxy/, a folder where it ends in a slash.
 */
const ALLOWED: readonly (readonly [place: string, imports: readonly string[]])[] = [
  [
    'main.ts',
    [
      'commands/',
      'config/errors.ts',
      'node-version.ts',
      'node-warnings.ts',
      'trust-client/errors.ts',
      'version.ts',
      'commander',
    ],
  ],
  ['node-version.ts', []],
  ['node-warnings.ts', []],
  ['version.ts', ['node:fs']],
  ['reason.ts', []],
  ['words.ts', ['reason.ts']],
  ['limits.ts', []],
  ['names/', ['node:crypto', 'node:net']],
  ['content/', ['words.ts', 'names/', 'node:crypto']],
  ['wire/', ['words.ts', 'content/', 'names/', 'reason.ts', 'node:http']],
  ['upstream/connections.ts', ['names/public-address.ts', 'undici', 'node:']],
  ['upstream/', ['words.ts', 'limits.ts', 'names/', 'undici', 'upstream/', 'wire/', 'node:']],
  [
    'registry/',
    [
      'words.ts',
      'content/',
      'limits.ts',
      'names/',
      'reason.ts',
      'upstream/',
      'wire/',
      'node:stream',
      'node:timers/promises',
    ],
  ],
  ['forward/http-proxy.ts', ['words.ts', 'http-proxy', 'names/', 'upstream/', 'wire/', 'node:']],
  ['forward/', ['words.ts', 'content/', 'limits.ts', 'names/', 'upstream/', 'wire/', 'node:']],
  ['listen/', ['words.ts', 'limits.ts', 'names/', 'wire/types.ts', 'wire/wire-errors.ts', 'node:']],
  ['server.ts', ['words.ts', 'limits.ts', 'listen/', 'names/client-key.ts', 'wire/', 'node:']],
  ['app.ts', ['koa', 'node:http', 'forward/types.ts', 'listen/peer.ts', 'pull.ts', 'pull/', 'wire/']],
  [
    'policy/',
    ['words.ts', 'names/reference.ts', 'trust-client/types.ts', 'trust-client/errors.ts', 'reason.ts'],
  ],
  ['trust-client/notary-source.ts', ['names/', 'upstream/']],
  ['trust-client/changefeed.ts', ['names/', 'upstream/']],
  ['trust-client/', ['names/reference.ts', 'reason.ts', '@noble/', 'node:crypto']],
  ['threads/', ['trust-client/', 'node:os', 'node:worker_threads']],
  [
    'cache/state/',
    ['names/reference.ts', 'trust-client/', 'zod', 'node:crypto', 'node:fs', 'node:fs/promises', 'node:path'],
  ],
  [
    'cache/',
    [
      'names/',
      'policy/types.ts',
      'trust-client/',
      'upstream/deadline.ts',
      'upstream/flights.ts',
      'lru-cache',
      'node:crypto',
    ],
  ],
  [
    'pull.ts',
    [
      'words.ts',
      'pull/',
      'policy/',
      'content/media-type.ts',
      'forward/',
      'names/',
      'registry/',
      'upstream/',
      'wire/',
    ],
  ],
  [
    'pull/',
    [
      'words.ts',
      'content/',
      'forward/',
      'names/',
      'policy/',
      'reason.ts',
      'registry/',
      'telemetry/decisions.ts',
      'trust-client/types.ts',
      'upstream/',
      'wire/',
    ],
  ],
  ['telemetry/log-writer.ts', ['pino', 'node:']],
  [
    'telemetry/observers.ts',
    ['cache/trust-cache.ts', 'config/types.ts', 'listen/connect.ts', 'upstream/outcome.ts'],
  ],
  [
    'telemetry/',
    [
      'policy/types.ts',
      'reason.ts',
      'trust-client/types.ts',
      'trust-client/errors.ts',
      'upstream/outcome.ts',
      'pino',
      'prom-client',
    ],
  ],
  ['admin/', ['policy/types.ts', 'telemetry/', 'koa', 'node:']],
  [
    'config/',
    ['listen/targets.ts', 'names/reference.ts', 'names/registry-table.ts', 'policy/', 'yaml', 'zod', 'node:'],
  ],
  [
    'runtime/',
    [
      'admin/',
      'app.ts',
      'cache/',
      'config/types.ts',
      'forward/',
      'listen/',
      'names/',
      'policy/',
      'pull.ts',
      'pull/types.ts',
      'registry/',
      'server.ts',
      'telemetry/',
      'threads/',
      'trust-client/',
      'upstream/',
      'wire/types.ts',
      'node:',
    ],
  ],
  ['clients/node/node-files.ts', ['clients/', 'node:']],
  [
    'clients/',
    [
      'words.ts',
      'clients/',
      'config/types.ts',
      'names/reference.ts',
      'policy/',
      'smol-toml',
      'yaml',
      'node:crypto',
      'node:net',
      'node:path',
    ],
  ],
  ['demo/', ['demo/', 'names/reference.ts', 'trust-client/', 'node:']],
  [
    'commands/',
    [
      'commander',
      'cache/state/state-reset.ts',
      'clients/',
      'config/',
      'demo/',
      'names/reference.ts',
      'runtime/',
      'telemetry/canary-textfile.ts',
      'trust-client/',
      'version.ts',
      'undici',
      'node:',
    ],
  ],
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

describe('no circle', () => {
  const edges = new Map(files.map((file) => [file, importsOf(file).filter((name) => name.endsWith('.ts'))]));

  test('a file never leads back to itself', () => {
    /** The files on the way to one that leads back to itself. */
    const circleFrom = (
      file: string,
      way: readonly string[],
      done: Set<string>,
    ): readonly string[] | undefined => {
      if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
      if (done.has(file)) return undefined;
      for (const next of edges.get(file) ?? []) {
        const circle = circleFrom(next, [...way, file], done);
        if (circle !== undefined) return circle;
      }
      done.add(file);
      return undefined;
    };
    const done = new Set<string>();
    expect(
      files.map((file) => circleFrom(file, [], done)).find((circle) => circle !== undefined),
    ).toBeUndefined();
  });

  test('nor one folder to another and back, a folder within it apart', () => {
    const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : file);
    const between = new Map<string, Set<string>>();
    for (const [file, imported] of edges)
      for (const name of imported) {
        if (folderOf(file) === folderOf(name)) continue;
        between.set(folderOf(file), (between.get(folderOf(file)) ?? new Set()).add(folderOf(name)));
      }
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
      for (const next of between.get(from) ?? []) {
        if (next === to) return true;
        if (seen.has(next)) continue;
        seen.add(next);
        if (reaches(next, to, seen)) return true;
      }
      return false;
    };
    expect([...between.keys()].filter((folder) => reaches(folder, folder))).toEqual([]);
  });
});

/** Code without its comments, as far as these checks need it. */
function codeOf(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
}

test('every file that proxy/README.md names is there', () => {
  const text = readFileSync(join(PROXY, 'README.md'), 'utf8');
  const named = [...text.matchAll(/`([a-z-]+(?:\/[a-z-]+)*\.ts)`/g)].map(([, name = '']) => name);
  const isThere = (name: string) => files.some((file) => file === name || file.endsWith(`/${name}`));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !isThere(name) && !existsSync(join(PROXY, '..', name)))).toEqual([]);
});

test('what is built, and so is in the image, is proxy/ and nothing else: no simulator, no attack tool', () => {
  const built = readdirSync(join(PROXY, '../dist'), { recursive: true, encoding: 'utf8' });
  const sources = new Set(files.map((file) => file.replace(/\.ts$/, '.js')));
  expect(built.filter((name) => name.endsWith('.js') && !sources.has(name))).toEqual([]);
});

test('only main.ts reads process', () => {
  expect(files.filter((file) => file !== 'main.ts' && /\bprocess\./.test(codeOf(file)))).toEqual([]);
});

test('main.ts loads nothing that an old Node has not, before it says that this Node is too old', () => {
  // Static imports are linked before the first line runs; one missing export, and there is a stack trace instead.
  const linked = (file: string): readonly string[] =>
    [...read(file).matchAll(/^import (?!type\b)[^;]*?from '([^']+)'/gm)]
      .map(([, name = '']) =>
        name.startsWith('.') ? relative(PROXY, join(PROXY, dirname(file), name)) : name,
      )
      .flatMap((name) => [name, ...(name.endsWith('.ts') ? linked(name) : [])]);
  expect(linked('main.ts')).toEqual(['commands/signals.ts', 'node-version.ts', 'node-warnings.ts']);
});

test('only commands/run-client.ts runs other programs', () => {
  const running = files.filter((file) => importsOf(file).includes('node:child_process'));
  expect(running).toEqual(['commands/run-client.ts']);
});

test('policy/ is pure: no promise, no clock, no environment', () => {
  const impure = /\basync\b|\bawait\b|\bPromise\b|Date\.now|new Date\(\)|performance\./;
  expect(files.filter((file) => file.startsWith('policy/') && impure.test(codeOf(file)))).toEqual([]);
});

test('the pipeline is given its time', () => {
  const clock = /Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval/;
  const pipeline = files.filter((file) => file === 'pull.ts' || file.startsWith('pull/'));
  expect(pipeline.filter((file) => clock.test(codeOf(file)))).toEqual([]);
});

test('trust-client/ is given its time', () => {
  // It measures how long it works between two pauses; nothing that is believed depends on that.
  const clock = /Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval/;
  const using = files.filter((file) => file.startsWith('trust-client/') && clock.test(codeOf(file)));
  expect(using).toEqual(['trust-client/steps.ts']);
});

test('only content/confirmed.ts makes a Confirmed', () => {
  // Under its own name or the one types.ts gives it; renaming in an import or export makes none.
  const renaming = /^(?:import|export)\b[^;]*?\bfrom\b[^;]*;/gm;
  const made = /\bas\s+(?:Confirmed|SignedManifest)\b/;
  const making = files.filter((file) => made.test(codeOf(file).replace(renaming, '')));
  expect(making).toEqual(['content/confirmed.ts']);
});

test('no file is longer than 300 lines', () => {
  expect(files.filter((file) => read(file).split('\n').length > 301)).toEqual([]);
});
