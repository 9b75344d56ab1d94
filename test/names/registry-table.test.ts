import { expect, test } from '@jest/globals';
import { createRegistryTable, registryAt, toAuthority } from '../../proxy/names/registry-table.ts';

const REGISTRIES = [
  { name: 'docker.io', aliases: ['index.docker.io'], hosts: [], prefix: '/hub' },
  { name: 'r.example:5000', aliases: [], hosts: ['Proxy.Local:8443', 'any.local'] },
];
const TABLE = createRegistryTable(REGISTRIES, 'index.docker.io');

test('the default registry is known by its canonical name', () => {
  expect(TABLE.defaultRegistry).toBe('docker.io');
  expect(createRegistryTable(REGISTRIES, undefined).defaultRegistry).toBeUndefined();
  expect([...TABLE.prefixes]).toEqual([['/hub', 'docker.io']]);
});

test.each([
  ['proxy.local:8443', 'r.example:5000'],
  ['PROXY.LOCAL:8443', 'r.example:5000'],
  ['proxy.local:8444', undefined],
  ['proxy.local', undefined],
  ['any.local', 'r.example:5000'],
  ['any.local:12345', 'r.example:5000'],
  ['any.local:', undefined],
  ['any.local:1x', undefined],
  ['any.local:1:2', undefined],
  // A registry's own name, with exactly its port.
  ['r.example:5000', 'r.example:5000'],
  ['r.example', undefined],
  ['r.example:5001', undefined],
  ['docker.io', 'docker.io'],
  ['Index.Docker.io:443', 'docker.io'],
  ['docker.io:80', undefined],
  ['docker.io:4433', undefined],
  ['constructor', undefined],
])('the host %s stands for %s', (host, registry) => {
  expect(registryAt(TABLE, host)).toBe(registry);
});

test('an authority is written without the port of HTTPS, and with any other', () => {
  expect(['A.example:443', 'a.example:4430', 'a:443.example', 'a.example'].map(toAuthority)).toEqual([
    'a.example',
    'a.example:4430',
    'a:443.example',
    'a.example',
  ]);
});
