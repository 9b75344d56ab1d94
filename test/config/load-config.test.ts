import { afterAll, describe, expect, test } from '@jest/globals';
import { runCheck } from '../../proxy/commands/check.ts';
import { runSchema } from '../../proxy/commands/schema.ts';
import { ConfigError } from '../../proxy/config/errors.ts';
import { configJsonSchemaText } from '../../proxy/config/json-schema.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { SMALLEST_CONFIG } from '../../proxy/config/smallest.ts';
import { formatCanary } from '../../proxy/policy/canary.ts';
import {
  createCertified,
  createFolder,
  POLICY,
  REGISTRIES,
  removeFolders,
  write,
  writeConfig,
} from './scratch.ts';

afterAll(removeFolders);

async function faultsOf(path: string): Promise<readonly string[]> {
  const error = await loadConfig(path).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof ConfigError)) throw new Error('no ConfigError');
  return error.faults.map(({ path: at, what, next }) => `${at}: ${what}; ${next}`);
}

describe('defaults', () => {
  test('are those of the contract, and the smallest configuration that works has them', async () => {
    const path = writeConfig(SMALLEST_CONFIG);
    const folder = path.replace('/pullwarden.yaml', '');
    expect(await loadConfig(path)).toEqual({
      file: path,
      hash: expect.stringMatching(/^[0-9a-f]{12}$/),
      listen: { address: '0.0.0.0', port: 5050, tls: undefined },
      admin: { address: '127.0.0.1', port: 9150, hosts: [] },
      defaultRegistry: 'docker.io',
      registries: [
        {
          name: 'docker.io',
          upstream: 'https://registry-1.docker.io',
          aliases: [],
          hosts: [],
          prefix: undefined,
          ca: undefined,
          auth: { kind: 'passthrough' },
          tokenServer: undefined,
          trust: {
            server: 'https://notary.example.com',
            ca: undefined,
            auth: { kind: 'anonymous' },
            tokenServer: undefined,
          },
        },
      ],
      trust: {
        state: { kind: 'file', path: `${folder}/state` },
        refreshMs: 60_000,
        timeoutMs: 10_000,
        firstUse: 'accept',
        pins: [],
      },
      policy: {
        unmatched: 'deny',
        rules: [
          {
            name: 'signed-only',
            match: 'docker.io/**',
            mode: 'enforce',
            signers: undefined,
            tagList: 'signed',
          },
        ],
        canary: { registry: 'docker.io', repository: 'library/hello-world', tag: 'linux' },
      },
      log: { level: 'info', format: 'json' },
    });
  });

  test('a repository no pin covers is refused, and so is a request that names no registry', async () => {
    const config = await loadConfig(writeConfig(REGISTRIES + POLICY));
    expect(config.trust.firstUse).toBe('refuse');
    expect(config.defaultRegistry).toBeUndefined();
  });

  test('the canary is of the first registry that somebody can push to', async () => {
    const own = REGISTRIES.replace('registries:\n', '')
      .replace('docker.io', 'registry.example.com')
      .replace('    aliases: [index.docker.io]\n', '');
    const { policy } = await loadConfig(writeConfig(REGISTRIES + own + POLICY));
    expect(formatCanary(policy.canary)).toBe('registry.example.com/pullwarden-canary:never-signed');
  });

  test('no rules with unmatched deny is a configuration: it refuses everything', async () => {
    const config = await loadConfig(writeConfig(`${REGISTRIES}policy: {}\n`));
    expect(config.policy).toMatchObject({ unmatched: 'deny', rules: [] });
  });
});

describe('values', () => {
  test.each([
    ['10ms', 10],
    ['1s', 1000],
    ['5m', 300_000],
    ['12h', 43_200_000],
    ['1d', 86_400_000],
  ])('refresh: %s is %d ms', async (text, expected) => {
    const config = await loadConfig(writeConfig(`${REGISTRIES}${POLICY}trust: { refresh: ${text} }\n`));
    expect(config.trust.refreshMs).toBe(expected);
  });

  test.each(['0s', '-1s', '1.5s', '1h30m', '60', 's', '60 s', '060s', '9999999999s', '25h', '60S'])(
    'refresh: "%s" is refused',
    async (text) => {
      const faults = await faultsOf(writeConfig(`${REGISTRIES}${POLICY}trust: { refresh: "${text}" }\n`));
      expect(faults).toEqual([
        expect.stringMatching(/^trust\.refresh: must be a duration between 10ms and 1d, not .*; /),
      ]);
    },
  );

  test.each([
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5000'],
    ['http://[::1]:5000/', 'http://[::1]:5000'],
    ['https://harbor.example.com/v1/proxy/', 'https://harbor.example.com/v1/proxy'],
  ])('upstream %s', async (text, expected) => {
    const config = await loadConfig(
      writeConfig(REGISTRIES.replace('https://registry-1.docker.io', `"${text}"`) + POLICY),
    );
    expect(config.registries[0]?.upstream).toBe(expected);
  });

  test.each([
    ['ftp://host', 'http:// or https://'],
    ['https://', 'a host name'],
    ['https://Host.example.com', 'in lower case'],
    ['https://host:65536', 'a port up to 65535'],
    ['https://host/../v2', 'a plain path'],
    ['https://host//x', 'a plain path'],
    ['https://host/%2e', 'a plain path'],
    ['https://host/a b', 'a plain path'],
    ['https://host#x', 'without a query or fragment'],
    ['https://user@host', 'without credentials'],
    ['https://host\\n.example.com', 'a host name'],
  ])('upstream %s is refused', async (text, expected) => {
    const faults = await faultsOf(
      writeConfig(REGISTRIES.replace('https://registry-1.docker.io', `"${text}"`) + POLICY),
    );
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(expected);
  });

  test('port 0 on both sides is fine: each takes a free one', async () => {
    const text = `listen: { port: 0 }\nadmin: { port: 0 }\n${REGISTRIES}${POLICY}`;
    expect((await loadConfig(writeConfig(text))).listen.port).toBe(0);
  });

  test("a host may be its registry's own name, or an alias of it", async () => {
    const registries = REGISTRIES.replace(
      '    aliases',
      '    hosts: [docker.io, index.docker.io, mirror]\n    aliases',
    );
    const config = await loadConfig(writeConfig(registries + POLICY));
    expect(config.registries[0]?.hosts).toHaveLength(3);
  });

  test('state in memory has no path', async () => {
    const config = await loadConfig(
      writeConfig(`${REGISTRIES}${POLICY}trust: { state: { kind: memory } }\n`),
    );
    expect(config.trust.state).toEqual({ kind: 'memory' });
  });

  test('an alias repeats a value', async () => {
    const second = '  - name: quay.io\n    upstream: https://quay.io\n    trust: *notary\n';
    const first = REGISTRIES.replace('{ server', '&notary { server');
    const config = await loadConfig(writeConfig(first + second + POLICY));
    expect(config.registries[1]?.trust.server).toBe('https://notary.example.com');
  });

  test('a fault under an alias is placed where the alias stands', async () => {
    const first = REGISTRIES.replace('{ server: https:', '&notary { server: ftp:');
    const second = '  - name: quay.io\n    upstream: https://quay.io\n    trust: *notary\n';
    const error = await loadConfig(writeConfig(first + second + POLICY)).catch((caught: unknown) => caught);
    expect((error as ConfigError).faults.map(({ line, path }) => [line, path])).toEqual([
      [5, 'registries[0].trust.server'],
      [5, 'registries[1].trust.server'],
    ]);
  });

  test('the whole configuration is frozen', async () => {
    const config = await loadConfig(writeConfig(REGISTRIES + POLICY));
    expect(Object.isFrozen(config) && Object.isFrozen(config.policy.rules[0])).toBe(true);
    expect(Object.isFrozen(config.registries[0]?.trust.auth)).toBe(true);
  });
});

describe('policy hash', () => {
  const rules = (...lines: readonly string[]) =>
    `${REGISTRIES}policy:\n  rules:\n${lines.map((line) => `    - ${line}\n`).join('')}`;
  const hash = async (text: string) => (await loadConfig(writeConfig(text))).hash;
  const one = '{ name: one, match: docker.io/a/*, mode: enforce, signers: { all: [qa, ops] } }';
  const two = '{ name: two, match: docker.io/b/*, mode: "off" }';

  test('does not depend on the order of rules or signers, on written-out defaults or on the rest', async () => {
    const expected = await hash(rules(one, two));
    expect(await hash(rules(two, one))).toBe(expected);
    expect(await hash(rules(one.replace('qa, ops', 'ops, qa'), two))).toBe(expected);
    expect(
      await hash(`log: { level: debug }\n${rules(one, two.replace('" }', '", tagList: signed }'))}`),
    ).toBe(expected);
  });

  test('does not depend on the order of pins and keys, nor on where the state lies', async () => {
    const [d, f] = ['d'.repeat(64), 'f'.repeat(64)];
    const pins = (...items: readonly string[]) => `trust: { pins: [${items.join(', ')}] }\n${rules(one)}`;
    const [a, b] = [
      `{ match: docker.io/a/*, rootKeys: [${d}, ${f}] }`,
      `{ match: docker.io/b/*, rootKeys: [${d}] }`,
    ];
    const expected = await hash(pins(a, b));
    expect(await hash(pins(b, a))).toBe(expected);
    expect(await hash(pins(a.replace(`${d}, ${f}`, `${f}, ${d}`), b))).toBe(expected);
    expect(await hash(pins(a, b).replace('trust: {', 'trust: { state: { kind: memory },'))).toBe(expected);
  });

  test('changes with each thing that counts', async () => {
    const variants = [
      rules(one, two),
      rules(one),
      rules(one, two.replace('"off"', 'audit')),
      rules(one, two.replace('b/*', 'b/**')),
      rules(one, two.replace('"off"', '"off", tagList: all')),
      rules(one.replace('all: [qa, ops]', 'atLeast: 1, of: [qa, ops]'), two),
      rules(one.replace(', signers: { all: [qa, ops] }', ''), two),
      rules(one.replace('qa, ops', `{ name: qa, keys: [${'d'.repeat(64)}] }, ops`), two),
      rules(one.replace('qa, ops', `{ name: qa, keys: [${'f'.repeat(64)}] }, ops`), two),
      rules(one.replace('qa, ops', `qa, { name: ops, keys: [${'d'.repeat(64)}] }`), two),
      rules(one, two).replace('policy:', 'policy:\n  unmatched: pass'),
      `canary: { image: "docker.io/team/canary:never" }\n${rules(one, two)}`,
      `trust: { firstUse: accept }\n${rules(one, two)}`,
      `trust: { refresh: 7m }\n${rules(one, two)}`,
      `trust: { pins: [{ match: docker.io/a/*, rootKeys: [${'d'.repeat(64)}] }] }\n${rules(one, two)}`,
      `trust: { pins: [{ match: docker.io/a/*, rootKeys: [${'f'.repeat(64)}] }] }\n${rules(one, two)}`,
      rules(one, two).replace('[index.docker.io]', '[other.example]'),
      rules(one, two).replace('https://notary.example.com', 'https://other.example.com'),
      rules(one, two).replace('https://registry-1.docker.io', 'https://other.example.com'),
    ];
    expect(new Set(await Promise.all(variants.map(hash))).size).toBe(variants.length);
  });
});

describe('files that are named', () => {
  const tls = (name: string) => `listen: { tls: { cert: cert.pem, key: ${name} } }\n${REGISTRIES}${POLICY}`;

  test('of a CA file only the certificates are kept', async () => {
    const folder = createFolder();
    const { cert, key } = createCertified();
    write(folder, 'ca.pem', `text before\n${key}${cert}text between\n${createCertified().cert}`);
    const text = REGISTRIES.replace('    aliases', '    ca: ca.pem\n    aliases') + POLICY;
    const { pem } = (await loadConfig(write(folder, 'c.yaml', text))).registries[0]?.ca ?? { pem: '' };
    expect(pem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(pem).not.toMatch(/PRIVATE|text/);
  });

  test('a certificate block that is none', async () => {
    const folder = createFolder();
    write(folder, 'ca.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const text = REGISTRIES.replace('    aliases', '    ca: ca.pem\n    aliases') + POLICY;
    const faults = await faultsOf(write(folder, 'c.yaml', text));
    expect(faults[0]).toContain('"ca.pem" has a certificate that cannot be parsed');
  });

  test('the key of another certificate', async () => {
    const folder = createFolder();
    write(folder, 'cert.pem', createCertified().cert);
    write(folder, 'other.key', createCertified().key);
    expect(await faultsOf(write(folder, 'c.yaml', tls('other.key')))).toEqual([
      'listen.tls.key: "other.key" is not the key of the certificate in listen.tls.cert; name the private key of that certificate',
    ]);
  });

  test('a key that is none', async () => {
    const folder = createFolder();
    write(folder, 'cert.pem', createCertified().cert);
    expect((await faultsOf(write(folder, 'c.yaml', tls('cert.pem'))))[0]).toContain('must be a private key');
  });

  test('an empty password', async () => {
    const folder = createFolder();
    write(folder, 'pw', '\n');
    const account = '    auth: { username: a, passwordFile: pw }\n    aliases';
    const faults = await faultsOf(
      write(folder, 'c.yaml', REGISTRIES.replace('    aliases', account) + POLICY),
    );
    expect(faults[0]).toBe(
      'registries[0].auth.passwordFile: "pw" is empty or starts with an empty line; write the password on its first line',
    );
  });

  test('one of 10 MiB', async () => {
    const folder = createFolder();
    write(folder, 'pw', Buffer.alloc(10 * 1024 * 1024, 'x'));
    const account = '    auth: { username: a, passwordFile: pw }\n    aliases';
    const faults = await faultsOf(
      write(folder, 'c.yaml', REGISTRIES.replace('    aliases', account) + POLICY),
    );
    expect(faults[0]).toContain('longer than 1048576 bytes');
  });

  test('a path with a NUL character', async () => {
    const text = REGISTRIES.replace('    aliases', '    ca: "a\\0b"\n    aliases') + POLICY;
    expect((await faultsOf(writeConfig(text)))[0]).toContain('must be a path, not "a\\u0000b"');
  });
});

describe('files that are no configuration', () => {
  test('no file: the smallest one that works is shown', async () => {
    const lines: string[] = [];
    const io = { out: () => undefined, err: (line: string) => lines.push(line) };
    expect(await runCheck(`${createFolder()}/pullwarden.yaml`, io)).toBe(1);
    expect(lines[0]).toMatch(/pullwarden\.yaml: there is no such configuration file; create it, .*:$/);
    expect(`${lines.slice(1).join('\n')}\n`).toBe(SMALLEST_CONFIG);
  });

  test.each(['', '# nothing\n'])('an empty file %j: the same', async (text) => {
    const error = await loadConfig(writeConfig(text)).catch((caught: unknown) => caught);
    expect((error as ConfigError).example).toBe(SMALLEST_CONFIG);
    expect((error as ConfigError).message).toContain(SMALLEST_CONFIG);
  });

  test.each([
    ['a folder', () => createFolder(), 'it is a folder'],
    [
      'text in Latin-1',
      () => writeConfig(Buffer.from('# caf\xe9\n', 'latin1')),
      'the file is not UTF-8 text',
    ],
    [
      'more than 1 MiB',
      () => writeConfig(`${REGISTRIES}${POLICY}#${'x'.repeat(1024 * 1024)}`),
      'longer than 1048576',
    ],
    ['an endless file', () => '/dev/zero', 'longer than 1048576'],
    ['5000 nested lists', () => writeConfig('['.repeat(5000)), 'more than 32 levels'],
    ['5000 nested blocks', () => writeConfig('- '.repeat(5000)), 'more than 32 levels'],
    ['an alias without an anchor', () => writeConfig(`${REGISTRIES}policy: *p\n`), 'Unresolved alias'],
    ['a key that is a list', () => writeConfig('? [a]\n: 1\n'), 'this key is not a string'],
  ])('%s', async (_, path, expected) => {
    expect((await faultsOf(path())).join('\n')).toContain(expected);
  });

  test('a document that contains itself is refused by its keys', async () => {
    expect((await faultsOf(writeConfig('policy: &p { rules: *p }\n'))).join('\n')).toContain(
      'policy.rules: must be a list, not a mapping',
    );
  });

  test('keys that name parts of every object are keys like others', async () => {
    const text = `${REGISTRIES}${POLICY}__proto__: { log: 1 }\nconstructor: 1\nhasOwnProperty: 1\n`;
    const faults = await faultsOf(writeConfig(text));
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      '__proto__',
      'constructor',
      'hasOwnProperty',
    ]);
  });

  test('a key of any characters is shown on one line', async () => {
    const faults = await faultsOf(writeConfig(`${REGISTRIES}${POLICY}"a\\nb \\u202e": 1\n`));
    expect(faults[0]).toMatch(/^\["a\\nb \\u202e"\]: unknown key/);
  });

  test('what is no fault of the configuration is thrown on', async () => {
    const io = {
      out: () => {
        throw new TypeError('closed');
      },
      err: () => undefined,
    };
    await expect(runCheck(writeConfig(REGISTRIES + POLICY), io)).rejects.toThrow(TypeError);
  });
});

test('check says what holds, in one line', async () => {
  const lines: string[] = [];
  const path = writeConfig(REGISTRIES + POLICY);
  expect(await runCheck(path, { out: (line) => lines.push(line), err: () => undefined })).toBe(0);
  expect(lines).toEqual([
    expect.stringMatching(/pullwarden\.yaml holds: 1 registry, 1 rule, 0 pins \(policy [0-9a-f]{12}\)$/),
  ]);
});

test('schema writes the JSON Schema to a file or to standard output', async () => {
  const lines: string[] = [];
  const io = { out: (line: string) => lines.push(line), err: () => undefined };
  expect(await runSchema(undefined, io)).toBe(0);
  expect(`${lines.join('\n')}\n`).toBe(configJsonSchemaText());
  expect(await runSchema(`${createFolder()}/schema.json`, io)).toBe(0);
});
