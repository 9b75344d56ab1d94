import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { signedBytes } from '../../../proxy/demo/notary/metadata-writer.ts';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import {
  createSigningKey,
  keyId,
  type SigningKey,
  sharedKeyPair,
} from '../../../proxy/demo/notary/signing-key.ts';
import { DIGEST, firstKey, GUN, hex, isSigned, readFile, textOf } from './repository-kit.ts';

const NOW = new Date('2026-11-21T10:00:00Z');

let repository: SimulatedRepository;
let now: Date;

beforeEach(() => {
  now = NOW;
  repository = new SimulatedRepository(GUN, { clock: () => now });
});

const text = (name: string) => textOf(repository, name);
const read = <Role extends string>(role: Role, name: string = role) => readFile(repository, role, name);
const isSignedBy = (name: string, key: SigningKey) => isSigned(repository, name, key);
const onlyKey = (role: string) => firstKey(repository, role);

describe('files look as real Notary writes them (notary-semantics.md §3)', () => {
  test('envelope without white space, signed first, members sorted', () => {
    repository.addTag('3.20', DIGEST, 1862);
    repository.publish();
    expect(text('targets')).toMatch(
      /^\{"signed":\{"_type":"Targets","delegations":\{"keys":\{\},"roles":\[\]\},"expires":"2029-11-20T10:00:00\.000Z","targets":\{"3\.20":\{"hashes":\{"sha256":"q6ur[^"]+="\},"length":1862\}\},"version":1\},"signatures":\[\{"keyid":"[0-9a-f]{64}","method":"ecdsa","sig":"[^"]{88}"\}\]\}$/,
    );
  });

  test('root declares four roles and keys whose IDs follow from their content (notary-semantics.md §4.1)', () => {
    repository.publish();
    const { signed } = read('root');
    expect(Object.keys(signed.roles)).toEqual(['root', 'snapshot', 'targets', 'timestamp']);
    expect(signed.consistent_snapshot).toBe(false);
    for (const [id, key] of Object.entries(signed.keys)) {
      expect(keyId(key.keytype, Buffer.from(key.keyval.public, 'base64'))).toBe(id);
    }
    expect(
      Object.values(signed.keys)
        .map((key) => key.keytype)
        .sort(),
    ).toEqual(['ecdsa', 'ecdsa', 'ecdsa', 'ecdsa-x509']);
  });

  test('snapshot names root and targets without .json, timestamp names the snapshot; hashes are exact', () => {
    repository.publish();
    const { meta } = read('snapshot').signed;
    expect(Object.keys(meta)).toEqual(['root', 'targets']);
    for (const [name, entry] of [...Object.entries(meta), ...Object.entries(read('timestamp').signed.meta)]) {
      const bytes = repository.files.get(name) ?? new Uint8Array();
      expect(entry.length).toBe(bytes.length);
      expect(Buffer.from(entry.hashes.sha256, 'base64').toString('hex')).toBe(hex(bytes));
      expect(entry.hashes.sha512).toBe(createHash('sha512').update(bytes).digest('base64'));
      expect(repository.files.get(`${name}.${hex(bytes)}`)).toBe(bytes);
    }
  });

  test('<, > and & are escaped in the file and raw in the signed bytes', () => {
    repository.addTag('x', DIGEST, 1, { custom: { note: 'a<b>&\u2028' } });
    repository.publish();
    expect(text('targets')).toContain('"note":"a\\u003cb\\u003e\\u0026\\u2028"');
    expect(Buffer.from(signedBytes(read('targets').signed)).toString()).toContain('"note":"a<b>&\u2028"');
    expect(isSignedBy('targets', onlyKey('targets'))).toBe(true);
  });

  test.each(['ecdsa', 'ed25519', 'rsa', 'ecdsa-x509', 'rsa-x509'] as const)(
    'timestamp and targets signed by %s',
    (kind) => {
      const pair = kind.startsWith('rsa') ? { pair: sharedKeyPair('rsa2048') } : {};
      const key = createSigningKey(kind, { ...pair, commonName: GUN });
      repository = new SimulatedRepository(GUN, { timestampKey: key, targetsKey: key });
      repository.publish();
      expect(read('timestamp').signatures.map(({ keyid, method }) => [keyid, method])).toEqual([
        [key.id, key.method],
      ]);
      expect(read('root').signed.keys[key.id]?.keytype).toBe(kind);
    },
  );
});

describe('publishing', () => {
  test('only what changed gets a new version; snapshot and timestamp always do', () => {
    repository.publish();
    repository.addTag('1', DIGEST, 1);
    repository.publish();
    const versions = (['root', 'targets', 'snapshot', 'timestamp'] as const).map(
      (role) => read(role).signed.version,
    );
    expect(versions).toEqual([1, 2, 2, 2]);
    expect(text('1.targets')).not.toBe(text('2.targets'));
  });

  test('refreshTimestamp only signs the timestamp again', () => {
    repository.publish();
    now = new Date(NOW.getTime() + 1000);
    repository.refreshTimestamp();
    expect([repository.version('timestamp'), repository.version('snapshot')]).toEqual([2, 1]);
    expect(read('timestamp').signed.expires).toBe('2026-12-05T10:00:01.000Z');
  });

  test('a removed tag is gone from the next version', () => {
    repository.addTag('1', DIGEST, 1);
    repository.publish();
    repository.removeTag('1');
    repository.publish();
    expect(read('targets').signed.targets).toEqual({});
    expect(() => repository.removeTag('1')).toThrow(RangeError);
  });

  test('setExpiry and setVersion hold for the next publication', () => {
    repository.setExpiry('targets', new Date('2020-01-01T00:00:00Z'));
    repository.setExpiry('snapshot', '2030-01-01T00:00:00.123456789+02:00');
    repository.setVersion('targets', 2147483647);
    repository.publish();
    expect(read('targets').signed).toMatchObject({
      expires: '2020-01-01T00:00:00.000Z',
      version: 2147483647,
    });
    expect(read('snapshot').signed.expires).toBe('2030-01-01T00:00:00.123456789+02:00');
  });

  test('bytes of a tag give its digest and length; a digest alone needs a length', () => {
    repository.addTag('1', Buffer.from('manifest'));
    repository.publish();
    const sha256 = createHash('sha256').update('manifest').digest('base64');
    expect(read('targets').signed.targets['1']).toEqual({ hashes: { sha256 }, length: 8 });
    expect(() => repository.addTag('2', DIGEST)).toThrow(TypeError);
  });
});

describe('delegations (notary-semantics.md §8)', () => {
  test('docker trust sign: releases and the signer both hold the tag', () => {
    for (const name of ['targets/releases', 'qa']) repository.addDelegation(name);
    repository.trustSign('qa', '3.20', DIGEST, 1862);
    repository.publish();
    expect(read('targets').signed.delegations.roles.map(({ name, paths }) => [name, paths])).toEqual([
      ['targets/releases', ['']],
      ['targets/qa', ['']],
    ]);
    for (const role of ['targets/releases', 'targets/qa']) {
      expect(Object.keys(read(role).signed.targets)).toEqual(['3.20']);
      expect(isSignedBy(role, onlyKey(role))).toBe(true);
    }
    expect(Object.keys(read('snapshot').signed.meta)).toEqual([
      'root',
      'targets',
      'targets/qa',
      'targets/releases',
    ]);
  });

  test('a delegation nobody signed with has no file', () => {
    repository.addDelegation('qa');
    repository.publish();
    expect(repository.files.has('targets/qa')).toBe(false);
    expect(Object.keys(read('snapshot').signed.meta)).toEqual(['root', 'targets']);
  });

  test('nested, with paths, several keys and a threshold', () => {
    repository.addDelegation('qa', { paths: ['1.'] });
    repository.addDelegation('linux', {
      parent: 'qa',
      paths: ['1.2'],
      keyCount: 3,
      threshold: 2,
      keyType: 'ed25519',
    });
    repository.signAs('qa/linux', '1.20', DIGEST, 1);
    repository.publish();
    const [role] = read('targets/qa').signed.delegations.roles;
    expect(role).toMatchObject({ name: 'targets/qa/linux', paths: ['1.2'], threshold: 2 });
    expect(role?.keyids).toHaveLength(3);
    expect(read('targets/qa/linux').signatures).toHaveLength(3);
  });

  test('no paths: the member is left out', () => {
    repository.addDelegation('qa', { paths: [] });
    repository.publish();
    expect(read('targets').signed.delegations.roles[0]).not.toHaveProperty('paths');
  });

  test('removed with everything below it', () => {
    repository.addDelegation('qa');
    repository.addDelegation('qa/linux');
    repository.signAs('qa/linux', '1', DIGEST, 1);
    repository.publish();
    repository.removeDelegation('qa');
    repository.publish();
    expect(read('targets').signed.delegations).toEqual({ keys: {}, roles: [] });
    expect(Object.keys(read('snapshot').signed.meta)).toEqual(['root', 'targets']);
  });
});

describe('keys', () => {
  test('each root of a rotation is signed by the keys before it and its own (notary-semantics.md §6.1)', () => {
    const keys = [onlyKey('root')];
    repository.publish();
    for (let version = 2; version <= 5; version += 1) keys.push(repository.rotateKey('root'));
    expect(text('root')).toBe(text('5.root'));
    for (let version = 1; version <= 5; version += 1) {
      const signers = keys.filter((key) => isSignedBy(`${version}.root`, key));
      expect(signers).toEqual(keys.slice(Math.max(0, version - 2), version));
      expect(read('root', `${version}.root`).signed.version).toBe(version);
    }
  });

  test('a root can be rotated without the consent of its predecessor', () => {
    repository.publish();
    const old = onlyKey('root');
    const key = repository.rotateKey('root', 'ecdsa-x509', { crossSign: false });
    expect([isSignedBy('root', old), isSignedBy('root', key)]).toEqual([false, true]);
  });

  test.each(['targets', 'snapshot', 'timestamp'])(
    'rotating %s changes root and signs with the new key',
    (role) => {
      repository.publish();
      const old = onlyKey(role);
      const key = repository.rotateKey(role);
      expect([isSignedBy(role, old), isSignedBy(role, key)]).toEqual([false, true]);
      expect(read('root').signed.version).toBe(2);
      expect(read('root').signed.roles[role]).toEqual({ keyids: [key.id], threshold: 1 });
    },
  );

  test('rotating a delegation changes its parent and signs with the new key', () => {
    repository.addDelegation('qa');
    repository.signAs('qa', '1', DIGEST, 1);
    repository.publish();
    const key = repository.rotateKey('targets/qa');
    expect(isSignedBy('targets/qa', key)).toBe(true);
    expect(read('targets').signed.delegations.roles[0]?.keyids).toEqual([key.id]);
    expect(read('root').signed.version).toBe(1);
  });

  test('setThreshold changes keys and threshold; all keys sign', () => {
    const keys = [1, 2, 3].map(() => repository.createKey('ecdsa'));
    repository.setThreshold('targets', 2, keys);
    repository.publish();
    expect(read('root').signed.roles.targets).toEqual({ keyids: keys.map(({ id }) => id), threshold: 2 });
    expect(keys.every((key) => isSignedBy('targets', key))).toBe(true);
  });
});
