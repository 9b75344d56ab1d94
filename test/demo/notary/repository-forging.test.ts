import { beforeEach, describe, expect, test } from '@jest/globals';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import type { SigningKey } from '../../../proxy/demo/notary/signing-key.ts';
import { DIGEST, firstKey, GUN, hex, isSigned, readFile, textOf } from './repository-kit.ts';

let repository: SimulatedRepository;

const text = (name: string) => textOf(repository, name);
const read = <Role extends string>(role: Role, name: string = role) => readFile(repository, role, name);
const isSignedBy = (name: string, key: SigningKey) => isSigned(repository, name, key);
const onlyKey = (role: string) => firstKey(repository, role);

describe('forging', () => {
  beforeEach(() => {
    repository = new SimulatedRepository(GUN);
    repository.addTag('1', DIGEST, 1);
    repository.publish();
  });

  test('resign changes the content under valid signatures and re-links the chain', () => {
    repository.resign('targets', (signed) => {
      signed.version = 9;
    });
    expect(read('targets').signed.version).toBe(9);
    expect(isSignedBy('targets', onlyKey('targets'))).toBe(true);
    const { sha256 } = read('snapshot').signed.meta.targets.hashes;
    expect(Buffer.from(sha256, 'base64').toString('hex')).toBe(hex(repository.files.get('targets')));
    expect(text('9.targets')).toBe(text('targets'));
    repository.addTag('2', DIGEST, 1);
    repository.publish();
    expect(read('targets').signed.version).toBe(2);
  });

  test('resign without propagation leaves the snapshot naming the old bytes', () => {
    const before = text('snapshot');
    repository.resign('targets', () => {}, { propagate: false });
    expect(text('snapshot')).toBe(before);
  });

  test("resign with an attacker's key", () => {
    const attacker = repository.createKey('ecdsa');
    repository.resign('targets', () => {}, { keys: [attacker] });
    expect([isSignedBy('targets', attacker), isSignedBy('targets', onlyKey('targets'))]).toEqual([
      true,
      false,
    ]);
  });

  test('resign keeps the signers of a rotated root', () => {
    const old = onlyKey('root');
    const key = repository.rotateKey('root');
    repository.resign('root', (signed) => Object.assign(signed, { spare: 1 }));
    expect([isSignedBy('root', old), isSignedBy('root', key)]).toEqual([true, true]);
  });

  test('raw signed text stands in the file as given: a duplicate member', () => {
    const rawSigned = '{"_type":"Targets","_type":"Targets"}';
    repository.resign('targets', () => {}, { rawSigned });
    expect(text('targets')).toMatch(/^\{"signed":\{"_type":"Targets","_type":"Targets"\},"signatures"/);
  });

  test('replaceFile serves any bytes under the role, its version and its hash', () => {
    const bytes = Buffer.from('<html>');
    repository.replaceFile('targets', bytes);
    expect(repository.files.get(`targets.${hex(bytes)}`)).toBe(bytes);
    expect(read('snapshot').signed.meta.targets.length).toBe(6);
    repository.replaceFile('snapshot', bytes);
    expect(read('timestamp').signed.meta.snapshot.length).toBe(6);
  });

  test('a file overwritten in the map is served by its new hash after relink', () => {
    const bytes = Buffer.from('{}');
    repository.files.set('targets', bytes);
    repository.relink();
    expect(repository.files.get(`targets.${hex(bytes)}`)).toBe(bytes);
  });
});
