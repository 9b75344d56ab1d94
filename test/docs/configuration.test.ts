/**
 * The YAML in the documentation is what it says: a whole configuration (`yaml`), a part of one (`yaml fragment`), or rules
 * for Prometheus (`yaml prometheus`). And every metric that is named is one the proxy has.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { toCanaryTextfile } from '../../proxy/telemetry/canary-textfile.ts';
import { createMetrics } from '../../proxy/telemetry/metrics.ts';
import { createCertified, createFolder, removeFolders, write } from '../config/scratch.ts';
import { MANUALS, readDocument } from './markdown.ts';

afterAll(removeFolders);

type Tree = { readonly [key: string]: unknown };

/** What stands around a fragment. */
const AROUND: Tree = {
  defaultRegistry: 'registry.example.com',
  registries: [
    {
      name: 'registry.example.com',
      upstream: 'https://registry.internal.example.com',
      trust: { server: 'https://notary.internal.example.com' },
    },
  ],
  policy: { rules: [{ name: 'all', match: 'registry.example.com/**', mode: 'enforce' }] },
};

const documents = MANUALS.map(readDocument);
const blocks = documents.flatMap(({ file, blocks: all }) =>
  all.filter(({ info }) => /^ya?ml\b/.test(info)).map((block) => ({ at: `${file}:${block.line}`, block })),
);
const ofKind = (kind: string) => blocks.filter(({ block }) => block.info === kind);

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A registry of the fragment stands beside the others; every other list takes the place of one. */
function merge(around: Tree, fragment: Tree): Tree {
  const merged: Record<string, unknown> = { ...around };
  for (const [key, value] of Object.entries(fragment)) {
    const before = around[key];
    if (isTree(before) && isTree(value)) merged[key] = merge(before, value);
    else if (key === 'registries' && Array.isArray(before))
      merged[key] = [...before, ...(value as unknown[])];
    else merged[key] = value;
  }
  return merged;
}

/** Puts the files in place that a configuration names. */
function placeFiles(folder: string, value: unknown): void {
  if (Array.isArray(value)) for (const item of value) placeFiles(folder, item);
  if (!isTree(value)) return;
  const { cert, key, ca, clientCa, hosts, passwordFile } = value;
  if (typeof cert === 'string' && typeof key === 'string') {
    const own = createCertified(hosts as readonly string[] | undefined);
    write(folder, cert, own.cert);
    write(folder, key, own.key);
  }
  for (const authority of [ca, clientCa])
    if (typeof authority === 'string') write(folder, authority, createCertified().cert);
  if (typeof passwordFile === 'string') write(folder, passwordFile, 'opensesame\n');
  for (const below of Object.values(value)) placeFiles(folder, below);
}

async function load(configuration: Tree): Promise<unknown> {
  const folder = createFolder();
  placeFiles(folder, configuration);
  return await loadConfig(write(folder, 'pullwarden.yaml', JSON.stringify(configuration)));
}

test('every YAML block says what it is', () => {
  const kinds = ['yaml', 'yaml fragment', 'yaml prometheus'];
  expect(blocks.filter(({ block }) => !kinds.includes(block.info)).map(({ at }) => at)).toEqual([]);
  for (const kind of kinds) expect(ofKind(kind)).not.toEqual([]);
});

test.each(ofKind('yaml'))('$at is a configuration', async ({ block }) => {
  await expect(load(parse(block.text))).resolves.toBeDefined();
});

test.each(ofKind('yaml fragment'))('$at is a part of a configuration', async ({ block }) => {
  await expect(load(merge(AROUND, parse(block.text)))).resolves.toBeDefined();
});

type Rules = {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
};

test.each(ofKind('yaml prometheus'))('$at has alerts with expressions', ({ block }) => {
  const { groups }: Rules = parse(block.text);
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(0);
  for (const { alert, expr } of rules) {
    expect(alert).toMatch(/^Pullwarden[A-Z]/);
    expect(expr).toMatch(/pullwarden_/);
  }
});

describe('metrics', () => {
  const named = documents.map(({ file, lines }) => ({
    file,
    names: [...new Set(lines.join('\n').match(/\b(?:pullwarden|nodejs|process)_[a-z_]+[a-z]\b/g) ?? [])],
  }));

  test.each(named)('those that $file names are there', async ({ names }) => {
    const metrics = createMetrics({
      ...{ hash: '', rules: [], registries: [], repositories: [] },
      ...{ version: '', revision: '', node: '' },
    });
    const canary = { client: 'dockerd', result: 'enforced', at: new Date(0) } as const;
    const text = `${(await metrics.render()).body}\n${await toCanaryTextfile(canary)}`;
    const known = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });
});
