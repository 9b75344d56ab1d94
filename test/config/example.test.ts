import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { configJsonSchema, configJsonSchemaText } from '../../proxy/config/json-schema.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { createCertified, createFolder, removeFolders, write } from './scratch.ts';

const EXAMPLE = readFileSync(new URL('../../config/pullwarden.example.yaml', import.meta.url), 'utf8');
const SCHEMA = readFileSync(new URL('../../config/pullwarden.schema.json', import.meta.url), 'utf8');

afterAll(removeFolders);

type Schema = {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
};

/** Every key a schema knows, as a path without list positions. */
function schemaKeys(schema: Schema, path = ''): readonly string[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, below]) => [
    `${path}.${key}`,
    ...schemaKeys(below, `${path}.${key}`),
  ]);
  const inner = [...(schema.items === undefined ? [] : [schema.items]), ...(schema.anyOf ?? [])];
  return [...own, ...inner.flatMap((below) => schemaKeys(below, path))];
}

function dataKeys(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => dataKeys(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => [
    `${path}.${key}`,
    ...dataKeys(below, `${path}.${key}`),
  ]);
}

function descriptions(schema: Schema): readonly (string | undefined)[] {
  const properties = Object.values(schema.properties ?? {});
  const inner = [...(schema.items === undefined ? [] : [schema.items]), ...(schema.anyOf ?? [])];
  return [
    ...properties.map(({ description }) => description),
    ...[...properties, ...inner].flatMap(descriptions),
  ];
}

describe('config/pullwarden.schema.json', () => {
  test('is what the definition generates: after a change, run `npm run schema`', () => {
    expect(SCHEMA).toBe(configJsonSchemaText());
  });

  test('describes every key in a sentence, for editors', () => {
    const all = descriptions(configJsonSchema() as Schema);
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter((description) => description === undefined || !/^\S.*\.$/.test(description))).toEqual(
      [],
    );
  });

  test('refuses unknown keys everywhere', () => {
    const objects = SCHEMA.match(/"type": "object"/g) ?? [];
    expect(SCHEMA.match(/"additionalProperties": false/g)).toHaveLength(objects.length);
  });
});

describe('config/pullwarden.example.yaml', () => {
  test('has every supported key, and the one list of them is the schema', () => {
    const known = new Set(schemaKeys(configJsonSchema() as Schema));
    expect([...new Set(dataKeys(parse(EXAMPLE)))].sort()).toEqual([...known].sort());
  });

  test('names no schema beside it, which a copy elsewhere would not have, and says how to have one', async () => {
    // As an editor reads it: a comment that begins so.
    expect(EXAMPLE).not.toMatch(/^\s*#\s*(?:yaml-language-server\s*:|\$schema)/m);
    const [, command, name] = /`pullwarden (schema --write ([\w.-]+))`/.exec(EXAMPLE) ?? [];
    expect(command).toBeDefined();
    expect(EXAMPLE).toContain(`"# yaml-language-server: $schema=./${name}"`);
  });

  test('loads, with the files it names in place', async () => {
    const folder = createFolder();
    const hub = ['registry-1.docker.io', 'index.docker.io', 'registry.hub.docker.com'];
    const { cert, key } = createCertified();
    for (const name of ['tls/proxy.crt', 'tls/clients.crt', 'ca/internal.crt', 'ca/signing.crt'])
      write(folder, name, cert);
    write(folder, 'tls/proxy.key', key);
    for (const [name, hosts] of [
      ['pull', ['pull.example.com']],
      ['docker-hub', hub],
    ] as const) {
      const own = createCertified(hosts);
      write(folder, `tls/${name}.crt`, own.cert);
      write(folder, `tls/${name}.key`, own.key);
    }
    for (const name of ['secrets/registry', 'secrets/notary']) write(folder, name, 'opensesame\n');
    const config = await loadConfig(write(folder, 'pullwarden.yaml', EXAMPLE));
    expect(config.registries.map(({ name }) => name)).toEqual(['docker.io', 'registry.example.com']);
    expect(config.listen.tls?.key).toBe(`${folder}/tls/proxy.key`);
    expect(config.listen.tls?.cert).toEqual({ path: `${folder}/tls/proxy.crt`, pem: cert });
    expect(config.listen.tls?.certificates[0]).toMatchObject({ key: `${folder}/tls/pull.key` });
    expect(config.listen.connect).toMatchObject({
      certificates: [{ hosts: hub, cert: { path: `${folder}/tls/docker-hub.crt` } }],
      tunnel: ['auth.docker.io:443', 'production.cloudflare.docker.com:443'],
    });
    expect(config.registries[1]?.auth).toEqual({
      kind: 'account',
      username: 'pullwarden',
      passwordFile: `${folder}/secrets/registry`,
    });
    expect(config.registries[1]?.trust.ca?.path).toBe(`${folder}/ca/internal.crt`);
    expect(config.trust.state).toEqual({ kind: 'file', path: `${folder}/state` });
    expect(config.trust.pins.map(({ kind }) => kind)).toEqual(['keys', 'ca']);
    expect(config.policy.rules.map(({ signers }) => signers)).toEqual([
      undefined,
      { names: ['qa', 'security'], count: 2, pins: [{ name: 'qa', keys: ['a'.repeat(64)] }] },
      {
        names: ['alice', 'bob', 'carol'],
        count: 2,
        pins: [{ name: 'carol', keys: ['b'.repeat(64), 'c'.repeat(64)] }],
      },
    ]);
  });
});
