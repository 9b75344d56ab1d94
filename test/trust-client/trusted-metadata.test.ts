/** The state machine by itself: what is offered in the wrong order, or by somebody who did not ask the snapshot. */
import { describe, expect, test } from '@jest/globals';
import type { PlainMeta } from '../../proxy/demo/notary/metadata-writer.ts';
import { createSigningKey, keyId } from '../../proxy/demo/notary/signing-key.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { parseRootFile } from '../../proxy/trust-client/root-trust.ts';
import { TrustedMetadata } from '../../proxy/trust-client/trusted-metadata.ts';
import type { DeclaredDelegation } from '../../proxy/trust-client/verified.ts';
import { createWorld, digestOf, fileOf, GUN, NOW, refusal, type World } from './kit.ts';

const world = createWorld();
const files = {
  timestamp: fileOf(world, 'timestamp'),
  snapshot: fileOf(world, 'snapshot'),
  targets: fileOf(world, 'targets'),
};

function begin({ repository } = world): TrustedMetadata {
  const root = repository.files.get('root') ?? Buffer.alloc(0);
  return new TrustedMetadata(parseRootFile(root), GUN, new Map(), NOW);
}

async function start(served = world): Promise<TrustedMetadata> {
  const trusted = begin(served);
  await trusted.acceptRoot();
  return trusted;
}

/** Everything up to targets, as it is served. */
async function accept(served: World): Promise<TrustedMetadata> {
  const trusted = await start(served);
  await trusted.acceptTimestamp(fileOf(served, 'timestamp'));
  await trusted.acceptSnapshot(fileOf(served, 'snapshot'));
  await trusted.acceptTargets(fileOf(served, 'targets'));
  return trusted;
}

test('another order than root, timestamp, snapshot, targets is our own mistake', async () => {
  const trusted = begin();
  expect(() => trusted.rootValidUntil).toThrow('root is asked for before');
  await expect(trusted.acceptTimestamp(files.timestamp)).rejects.toThrow('root is asked for before');
  await trusted.acceptRoot();
  await expect(trusted.acceptSnapshot(files.snapshot)).rejects.toThrow('timestamp is asked for before');
  await trusted.acceptTimestamp(files.timestamp);
  await expect(trusted.acceptTargets(files.targets)).rejects.toThrow('snapshot is asked for before');
  await trusted.acceptSnapshot(files.snapshot);
  expect(() => trusted.targets).toThrow('targets is asked for before');
  await trusted.acceptTargets(files.targets);
  expect(trusted.targets.metadata.targets.size).toBe(1);
});

describe('beside floors that were set before', () => {
  /** As after an update that verified `targets/qa`, which expires at this moment. */
  async function known() {
    const served = createWorld();
    served.repository.addDelegation('qa');
    served.repository.signAs('qa', '1.0', digestOf('b'), 7);
    served.repository.setExpiry('targets/qa', NOW);
    served.repository.publish();
    await served.resolve();
    const floors = (await served.state.load(GUN))?.floors ?? new Map();
    return { served, floors, file: fileOf(served, 'targets/qa') };
  }
  const beginWith = async (
    { served, floors }: Awaited<ReturnType<typeof known>>,
    held: ReadonlyMap<string, Uint8Array>,
    now = NOW,
  ) => {
    const root = parseRootFile(fileOf(served, 'root'));
    const trusted = new TrustedMetadata(root, GUN, floors, now, undefined, held);
    await trusted.acceptRoot();
    await trusted.acceptTimestamp(fileOf(served, 'timestamp'));
    await trusted.acceptSnapshot(fileOf(served, 'snapshot'));
    await trusted.acceptTargets(fileOf(served, 'targets'));
    return trusted;
  };
  const declaredIn = (trusted: TrustedMetadata): DeclaredDelegation => {
    const [declared] = trusted.declaredBy(trusted.targets);
    if (declared === undefined) throw new Error('one is declared');
    return declared;
  };

  test('none falls while its keys are in force', async () => {
    const trusted = await beginWith(await known(), new Map());
    expect([...trusted.fallen]).toEqual([]);
  });

  test('a delegation that was verified before counts up to the moment it expires, and is kept after it', async () => {
    const before = await known();
    const held = new Map([['targets/qa', before.file]]);
    for (const [later, expired] of [
      [0, []],
      [1, ['targets/qa']],
    ] as const) {
      const trusted = await beginWith(before, held, new Date(NOW.getTime() + later));
      await trusted.acceptDelegation(declaredIn(trusted), before.file);
      expect([[...trusted.expired], [...trusted.delegations.keys()]]).toEqual([expired, ['targets/qa']]);
    }
  });

  test('one that is absent is judged by its own file, not by that of targets/releases', async () => {
    const before = await known();
    const trusted = await beginWith(before, new Map([['targets/releases', before.file]]));
    await trusted.skipAbsent({ ...declaredIn(trusted), name: 'targets/other' });
    expect([...trusted.skipped.keys()]).toEqual(['targets/other']);
  });
});

test('a delegation without a hash is never looked at', async () => {
  const trusted = await start();
  await trusted.acceptTimestamp(files.timestamp);
  await trusted.acceptSnapshot(files.snapshot);
  const declared: DeclaredDelegation = {
    name: 'targets/qa',
    keys: [],
    threshold: 1,
    paths: [''],
    meta: undefined,
  };
  for (const meta of [undefined, { sha256: undefined, sha512: undefined, length: 2 }]) {
    await expect(trusted.acceptDelegation({ ...declared, meta }, Buffer.from('{}'))).rejects.toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'hash_mismatch', role: 'targets/qa' }),
    );
  }
});

describe('the file that is named: its length and every hash given must agree', () => {
  const other = { sha256: Buffer.alloc(32).toString('base64'), sha512: Buffer.alloc(64).toString('base64') };
  const changes: readonly (readonly [string, (meta: PlainMeta) => PlainMeta])[] = [
    ['a byte more', (meta) => ({ ...meta, length: meta.length + 1 })],
    [
      'a byte more, without a sha512',
      ({ hashes: { sha256 }, length }) => ({ hashes: { sha256 }, length: length + 1 }),
    ],
    ['a byte less', (meta) => ({ ...meta, length: meta.length - 1 })],
    ['another sha256', ({ hashes, length }) => ({ hashes: { ...hashes, sha256: other.sha256 }, length })],
    ['another sha256 alone', ({ length }) => ({ hashes: { sha256: other.sha256 }, length })],
    ['another sha512', ({ hashes, length }) => ({ hashes: { ...hashes, sha512: other.sha512 }, length })],
  ];

  test.each(changes)('%s, of the snapshot', async (_what, change) => {
    const served = createWorld();
    served.repository.resign('timestamp', ({ meta }) => {
      meta.snapshot = change(meta.snapshot);
    });
    const trusted = await start(served);
    await trusted.acceptTimestamp(fileOf(served, 'timestamp'));
    await expect(trusted.acceptSnapshot(fileOf(served, 'snapshot'))).rejects.toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'hash_mismatch', role: 'snapshot' }),
    );
  });

  test.each(changes)('%s, of the root', async (_what, change) => {
    const served = createWorld();
    served.repository.resign('snapshot', ({ meta }) => {
      meta.root = change(meta.root);
    });
    expect((await accept(served)).isRootNamedBySnapshot).toBe(false);
    const error = await refusal(served.resolve(), 'metadata_invalid', 'hash_mismatch');
    expect(error.role).toBe('root');
  });

  test('a sha256 is enough', async () => {
    const served = createWorld();
    served.repository.resign('snapshot', ({ meta }) => {
      for (const { hashes } of [meta.root, meta.targets]) delete hashes.sha512;
    });
    expect((await accept(served)).isRootNamedBySnapshot).toBe(true);
  });
});

describe('the delegations that are followed', () => {
  test('those that are passed over count too, up to the last one and not one more', async () => {
    const served = createWorld();
    for (const name of ['a', 'b', 'c']) {
      served.repository.addDelegation(name);
      served.repository.signAs(name, '1.0', digestOf('b'), 7);
    }
    served.repository.publish();
    const trusted = await accept(served);
    const [a, b, c] = trusted.declaredBy(trusted.targets);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three are declared');
    await trusted.acceptDelegation(a, fileOf(served, 'targets/a'));
    for (let i = 2; i < LIMITS.delegations; i += 1)
      await trusted.skipAbsent({ ...b, name: `targets/none-${i}` });
    await trusted.acceptDelegation(b, fileOf(served, 'targets/b'));
    await expect(trusted.acceptDelegation(c, fileOf(served, 'targets/c'))).rejects.toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'size', role: 'targets/c' }),
    );
  });

  test('one that the snapshot does not name may sign nothing', async () => {
    const served = createWorld();
    served.repository.addDelegation('qa', { paths: ['', '1.'] });
    served.repository.publish();
    const trusted = await accept(served);
    expect(trusted.declaredBy(trusted.targets)).toMatchObject([
      { name: 'targets/qa', paths: [], meta: undefined },
    ]);
  });

  test('a key that should be a certificate and is none signs nothing, and fails nothing', async () => {
    const served = createWorld();
    const good = createSigningKey('ecdsa');
    const publicBytes = Buffer.from('no PEM');
    const none = { ...good, kind: 'ecdsa-x509', publicBytes, id: keyId('ecdsa-x509', publicBytes) } as const;
    served.repository.addDelegation('releases', { keys: [none, good] });
    served.repository.signAs('releases', '1.0', digestOf('b'), 7);
    served.repository.publish();
    expect((await served.resolve()).target('1.0', NOW)?.digest).toBe(digestOf('b'));
  });
});
