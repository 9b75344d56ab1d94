/** What `check` warns of: it is valid, and weaker than it looks. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { runCheck } from '../../proxy/commands/check.ts';
import { removeFolders, writeConfig } from './scratch.ts';

afterAll(removeFolders);

const KEY = 'd'.repeat(64);
const NEXT =
  'compare the root key that "pullwarden pin IMAGE" prints with the publisher\'s, and write - { match:';

/** Where a text begins, as faults say it. */
function placeOf(text: string, part: string): string {
  const before = text.slice(0, text.indexOf(part)).split('\n');
  return `FILE:${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

/** The warnings of a configuration that holds, without the path of the file. */
async function warnings(text: string): Promise<readonly string[]> {
  const path = writeConfig(text);
  const lines: string[] = [];
  expect(await runCheck(path, { out: () => undefined, err: (line) => lines.push(line) })).toBe(0);
  return lines.map((line) => line.replace(path, 'FILE'));
}

function configuration(trust: string, ...rules: readonly string[]): string {
  const registry = (name: string) =>
    `  - { name: ${name}, upstream: "https://${name}", trust: { server: https://notary.example.com } }`;
  return [
    'registries:',
    ...['docker.io', 'quay.io'].map(registry),
    `trust: { ${trust} }`,
    'policy:',
    '  rules:',
    ...rules.map((rule, at) => `    - { name: r${at}, ${rule} }`),
    '',
  ].join('\n');
}

const pin = (match: string) => `{ match: "${match}", rootKeys: [${KEY}] }`;

describe('an enforced rule that no pin covers', () => {
  test('is trust on first use with firstUse: accept, with the line to add', async () => {
    const text = configuration('firstUse: accept', 'match: docker.io/**, mode: enforce');
    expect(await warnings(text)).toEqual([
      `warning: ${placeOf(text, 'match:')} policy.rules[0].match: no pin covers all of docker.io/**, and with trust.firstUse: accept the root key a repository shows first is trusted, whoever created it; ${NEXT} docker.io/**, rootKeys: [ID] } under trust.pins`,
    ]);
  });

  test('is refused as a whole without it', async () => {
    const text = configuration('refresh: 60s', 'match: docker.io/library/*, mode: enforce');
    expect(await warnings(text)).toEqual([
      `warning: ${placeOf(text, 'match:')} policy.rules[0].match: no pin covers a repository of docker.io, and with trust.firstUse: refuse (the default) all its tags are refused; ${NEXT} docker.io/library/*, rootKeys: [ID] } under trust.pins`,
    ]);
  });

  test('is named by registry where the pattern is for several', async () => {
    const text = configuration(`pins: [${pin('docker.io/library/*')}]`, 'match: "**", mode: enforce');
    expect(await warnings(text)).toEqual([
      expect.stringContaining(`no pin covers a repository of quay.io, `),
    ]);
    expect(await warnings(text)).toEqual([expect.stringContaining(`${NEXT} quay.io/**, rootKeys: [ID] }`)]);
  });

  test.each(['audit', 'off', 'deny'])('is nothing to warn of in mode %s', async (mode) => {
    for (const firstUse of ['accept', 'refuse']) {
      const text = configuration(`firstUse: ${firstUse}`, `match: docker.io/**, mode: ${mode}`);
      expect(await warnings(text)).toEqual([]);
    }
  });

  test.each([
    ['docker.io/**', 'docker.io/**', 'accept', 0],
    ['docker.io/library/*', 'docker.io/**', 'accept', 0],
    ['docker.io/**', 'docker.io/library/*', 'accept', 1],
    ['docker.io/**', 'docker.io/library/*', 'refuse', 0],
    ['docker.io/**', 'quay.io/**', 'accept', 1],
    ['docker.io/**', 'quay.io/**', 'refuse', 1],
  ])('rule %s under pin %s with firstUse: %s: %d warnings', async (rule, pinned, firstUse, count) => {
    const trust = `firstUse: ${firstUse}, pins: [${pin(pinned)}]`;
    expect(await warnings(configuration(trust, `match: ${rule}, mode: enforce`))).toHaveLength(count);
  });
});

describe('signers without keys', () => {
  const signed = (signers: string) =>
    configuration(
      `pins: [${pin('docker.io/**')}]`,
      `match: docker.io/a/*, mode: enforce, signers: { ${signers} }`,
    );

  test.each([
    [
      'all: [qa]',
      'policy.rules[0].signers.all[0]: the signer "qa" is named without keys, so whoever holds a repository\'s own key can declare it; write { name: qa,',
    ],
    [
      `all: [{ name: qa, keys: [${KEY}] }, ops, dev]`,
      'policy.rules[0].signers.all[1]: the signers "ops" and "dev" are named without keys, so whoever holds a repository\'s own key can declare them; write { name: ops,',
    ],
    [
      'atLeast: 2, of: [qa, ops, dev]',
      'policy.rules[0].signers.of[0]: the signers "qa", "ops" and "dev" are named without keys, so whoever holds a repository\'s own key can declare them; write { name: qa,',
    ],
  ])('%s', async (signers, start) => {
    const text = signed(signers);
    const [, first = ''] = /signers? "(\w+)"/.exec(start) ?? [];
    expect(await warnings(text)).toEqual([
      `warning: ${placeOf(text, first)} ${start} keys: [ID] } with the key IDs that "pullwarden inspect IMAGE" prints and the signer confirms`,
    ]);
  });

  test('with keys there is nothing to warn of', async () => {
    expect(await warnings(signed(`all: [{ name: qa, keys: [${KEY}] }]`))).toEqual([]);
  });
});
