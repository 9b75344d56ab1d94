/** The commands as a person meets them: what they print, what they write, how they end. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runDemo } from '../../proxy/commands/demo.ts';
import { runInspect } from '../../proxy/commands/inspect.ts';
import { CommandError } from '../../proxy/commands/io.ts';
import { runPin } from '../../proxy/commands/pin.ts';
import { runTrustReset } from '../../proxy/commands/trust-reset.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { startRuntime } from '../../proxy/runtime/start.ts';
import { type CommandWorld, IMAGE, startCommandWorld } from './kit.ts';

let world: CommandWorld;

beforeEach(async () => {
  world = await startCommandWorld();
  await world.configure('state: { kind: file, path: ./state }', 'firstUse: accept');
});

afterEach(() => world.stop());

const noSignals = { version: 'v20.0.0', on: () => undefined, off: () => undefined };

test('demo --once ends well when every answer was right', async () => {
  expect(await runDemo({ once: true }, { io: world.io, signals: noSignals })).toBe(0);
  expect(world.out.join('\n')).toContain('Every answer was right.');
});

describe('inspect', () => {
  const inspect = (image: string, json = false) => runInspect(image, { config: world.file, json }, world.io);

  test('lists the signed tags with digest and signers, and every role', async () => {
    expect(await inspect(IMAGE)).toBe(0);
    const text = world.out.join('\n');
    expect(text).toMatch(/^signed +sha256:[0-9a-f]{64} +ci +targets\/releases$/m);
    expect(text).not.toMatch(/^(unsigned|revoked) /m);
    for (const role of ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases', 'targets/ci']) {
      expect(text).toMatch(new RegExp(`^${role} +\\d+ +20`, 'm'));
    }
  });

  test('gives the same as JSON', async () => {
    expect(await inspect('shop/web:signed', true)).toBe(0);
    const shown = JSON.parse(world.out.join('')) as { signedTags: { name: string; signers: string[] }[] };
    expect(shown.signedTags).toMatchObject([{ name: 'signed', signers: ['ci'], role: 'targets/releases' }]);
  });

  test('exits 3 for a tag that is not signed', async () => {
    expect(await inspect(`${IMAGE}:unsigned`)).toBe(3);
    expect(world.err.join()).toContain(`${IMAGE}:unsigned is not signed`);
  });

  test('changes nothing', async () => {
    await inspect(IMAGE);
    expect(await readdir(world.folder)).toEqual(['pullwarden.yaml']);
  });

  test.each([
    ['UPPER/case', /invalid image reference .*; write \[registry\/\]repository\[:tag\]/],
    ['quay.io/team/app', /unknown registry quay\.io; .* configures registry\.example\.com/],
  ])('%s is refused with the next step', async (image, message) => {
    await expect(inspect(image)).rejects.toThrow(message);
    await expect(inspect(image)).rejects.toBeInstanceOf(CommandError);
  });

  test('a repository nobody signed is a trust error', async () => {
    await expect(inspect('shop/none')).rejects.toMatchObject({ code: 'no_trust_data' });
  });
});

describe('pin', () => {
  const pin = (expected?: string) => runPin(IMAGE, { config: world.file, expect: expected }, world.io);

  beforeEach(() => world.configure('state: { kind: memory }'));

  test('shows the root key and the lines to write, and writes nothing', async () => {
    const before = await readFile(world.file, 'utf8');
    expect(await pin()).toBe(0);
    const text = world.out.join('\n');
    expect(text).toContain(`canonical key ID  ${world.rootKeyId}`);
    expect(text).toContain(`    - match: ${IMAGE}\n      rootKeys: [${world.rootKeyId}]`);
    expect(await readFile(world.file, 'utf8')).toBe(before);
  });

  test('writes nothing when another key was expected', async () => {
    const before = await readFile(world.file, 'utf8');
    expect(await pin('0'.repeat(64))).toBe(3);
    expect(world.err.join()).toContain('nothing was written');
    expect(await readFile(world.file, 'utf8')).toBe(before);
  });

  test('writes the expected key once, and leaves the rest of the file alone', async () => {
    expect(await pin(world.rootKeyId)).toBe(0);
    expect(await pin(world.rootKeyId)).toBe(0);
    const text = await readFile(world.file, 'utf8');
    expect(text.split(world.rootKeyId)).toHaveLength(2);
    expect(text).toContain('# kept by hand');
    expect(text).toContain('# the only one');
    const { trust } = await loadConfig(world.file);
    expect(trust.pins).toEqual([{ kind: 'keys', match: IMAGE, rootKeys: [world.rootKeyId] }]);
  });

  test('adds to a pin that is there', async () => {
    await world.configure(
      'state: { kind: memory }',
      'pins:',
      `  - { match: ${IMAGE}, rootKeys: [${'a'.repeat(64)}] }`,
    );
    expect(await pin(world.rootKeyId)).toBe(0);
    const { trust } = await loadConfig(world.file);
    expect(trust.pins).toMatchObject([{ rootKeys: ['a'.repeat(64), world.rootKeyId] }]);
  });

  test('a pinned repository is then served', async () => {
    await expect(runInspect(IMAGE, { config: world.file, json: false }, world.io)).rejects.toMatchObject({
      code: 'key_not_pinned',
    });
    await pin(world.rootKeyId);
    expect(await runInspect(IMAGE, { config: world.file, json: false }, world.io)).toBe(0);
  });
});

describe('trust reset', () => {
  const reset = (reason = 'the publisher lost the root key') =>
    runTrustReset(IMAGE, { config: world.file, reason }, world.io);

  /** Lets a proxy verify the repository once, so that it is remembered. */
  async function pullOnce(): Promise<number> {
    const runtime = await startRuntime(await loadConfig(world.file), {
      version: 'test',
      node: 'test',
      logTo: { write: () => undefined },
    });
    try {
      return (await fetch(`http://127.0.0.1:${runtime.port}/v2/shop/web/manifests/signed`)).status;
    } finally {
      await runtime.close(1000);
    }
  }

  test('heals a repository that was re-created, and keeps what was known and why it was forgotten', async () => {
    expect(await pullOnce()).toBe(200);
    const recreated = await startCommandWorld();
    try {
      const [repository] = [...recreated.notary.repositories.values()];
      if (repository !== undefined) world.notary.add(repository);
      expect(await pullOnce()).toBe(403);
      expect(await reset()).toBe(0);
      expect(await pullOnce()).toBe(200);
    } finally {
      await recreated.stop();
    }
    const names = await readdir(join(world.folder, 'state'));
    expect(names.filter((name) => name.includes('.trust.reset-'))).toHaveLength(1);
    const record = JSON.parse(await readFile(join(world.folder, 'state', 'resets.jsonl'), 'utf8')) as object;
    expect(record).toMatchObject({
      gun: IMAGE,
      reason: 'the publisher lost the root key',
      versions: { timestamp: 2, targets: 1 },
    });
  });

  test('needs a reason, and something to forget', async () => {
    await expect(reset(' ')).rejects.toThrow(/--reason is empty/);
    await expect(reset()).rejects.toThrow(/no trust data of .* is stored/);
    await world.configure('state: { kind: memory }');
    await expect(reset()).rejects.toThrow(/restart the proxy/);
  });
});
