/** The pull port over HTTPS: which certificate, which clients, which versions; IPv6; connections kept alive. */
import { connect as netConnect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import { manifest, type ProxyOptions, rule, startProxy } from '../pull/harness.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';
import { askOn, clientIdentity, eventually, readHead, startTls, tlsOf } from './kit.ts';

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

const SIGNED = manifest('signed');

async function start(options: ProxyOptions) {
  const proxy = await startProxy({
    signed: { signed: SIGNED },
    handler: (req, res) => {
      const isManifest = req.url?.endsWith(SIGNED.digest) === true;
      const type = 'application/vnd.docker.distribution.manifest.v2+json';
      res.writeHead(isManifest ? 200 : 404, { 'content-type': type }).end(isManifest ? SIGNED.bytes : '');
    },
    ...options,
  });
  running.push(proxy);
  return proxy;
}

const PATH = '/v2/library/app/manifests/signed';

describe('the certificate', () => {
  const hub = createTlsIdentity(['registry-1.docker.io']);
  const quay = createTlsIdentity(['quay.io']);
  const main = tlsOf(['localhost', '127.0.0.1']);
  const tls = {
    ...main.tls,
    certificates: [
      { hosts: ['registry-1.docker.io'], ...hub },
      { hosts: ['quay.io:8443'], ...quay },
    ],
  };

  test.each([
    ['registry-1.docker.io', hub.ca, 'registry-1.docker.io', 'docker.io'],
    ['Registry-1.Docker.IO', hub.ca, 'registry-1.docker.io:443', 'docker.io'],
    ['quay.io', quay.ca, 'quay.io:8443', 'quay.io:8443'],
    ['localhost', main.ca, 'localhost', 'docker.io'],
  ])('as the target of a DNS override for %s', async (servername, ca, host, registry) => {
    const proxy = await start({ server: { tls } });
    const socket = await startTls({ port: proxy.port, host: '127.0.0.1', servername, ca });
    expect(await askOn(socket, PATH, host)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(proxy.records).toEqual([expect.objectContaining({ registry, reason: 'signed' })]);
  });

  test('for another name, or for none, is the first one', async () => {
    const { port } = await start({ server: { tls } });
    for (const servername of ['other.example', ''] as const) {
      const socket = await startTls({
        port,
        host: '127.0.0.1',
        servername,
        ca: main.ca,
        checkServerIdentity: () => undefined,
      });
      expect(socket.getPeerCertificate().subject.CN).toBe('localhost');
      socket.destroy();
    }
  });

  test('an override leads to the registry of the name, with exactly its port', async () => {
    const proxy = await start({});
    const ask = (host: string) => askOn(netConnect(proxy.port, '127.0.0.1'), PATH, host);
    for (const host of ['quay.io', 'QUAY.io:443', 'quay.io:8443', 'index.docker.io']) await ask(host);
    expect(proxy.records.map(({ registry }) => registry)).toEqual([
      'quay.io',
      'quay.io',
      'quay.io:8443',
      'docker.io',
    ]);
  });
});

describe('clients that must show a certificate', () => {
  const main = tlsOf(['localhost']);
  const client = clientIdentity('node-7');
  const stranger = clientIdentity('stranger');
  const hub = createTlsIdentity(['registry-1.docker.io']);
  const tls = {
    ...main.tls,
    clientCa: client.ca,
    certificates: [{ hosts: ['registry-1.docker.io'], ...hub }],
  };
  const options = (port: number, more: ConnectionOptions = {}): ConnectionOptions => ({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: more.servername === 'registry-1.docker.io' ? hub.ca : main.ca,
    ...more,
  });

  test.each(['localhost', 'registry-1.docker.io'])('are named in the record (%s)', async (servername) => {
    const { port, records } = await start({ server: { tls } });
    const socket = await startTls(options(port, { servername, cert: client.cert, key: client.key }));
    expect(await askOn(socket, PATH, servername)).toMatch(/^HTTP\/1\.1 200 /);
    expect(records).toEqual([expect.objectContaining({ client: '127.0.0.1', identity: 'CN=node-7' })]);
  });

  test.each(['localhost', 'registry-1.docker.io'])(
    'none, or of another authority: nothing is answered (%s)',
    async (servername) => {
      const { port, answered } = await start({ server: { tls } });
      for (const shown of [{}, { cert: stranger.cert, key: stranger.key }]) {
        // TLS 1.3 tells a client that it is done before the server has looked at its certificate.
        const answer = startTls(options(port, { servername, ...shown })).then((socket) =>
          askOn(socket, PATH, servername),
        );
        expect(await answer.catch(() => '')).toBe('');
      }
      expect(answered).toEqual([]);
    },
  );

  test('a name in a certificate cannot break the line it is recorded in', async () => {
    const odd = clientIdentity('a\nO=forged, b');
    const { port, records } = await start({ server: { tls: { ...main.tls, clientCa: odd.ca } } });
    await askOn(await startTls(options(port, { cert: odd.cert, key: odd.key })), PATH, 'localhost');
    expect(records[0]?.identity).toBe('CN=a\\0AO=forged\\, b');
  });

  test('without clientCa there is no identity', async () => {
    const { port, records } = await start({ server: { tls: main.tls } });
    await askOn(await startTls(options(port, { cert: client.cert, key: client.key })), PATH, 'localhost');
    expect(records).toHaveLength(1);
    expect(records[0]).not.toHaveProperty('identity');
  });
});

describe('handshakes that fail', () => {
  const { tls, ca } = tlsOf(['localhost']);

  test('TLS 1.1 is refused, 1.2 and 1.3 are not', async () => {
    const { port } = await start({ server: { tls } });
    const of = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      startTls({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT:@SECLEVEL=0',
      });
    await expect(of('TLSv1.1')).rejects.toThrow();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) (await of(version)).destroy();
  });

  test('plain HTTP on the port ends, and leaves no connection behind', async () => {
    const { port, connections } = await start({ server: { tls, limits: { handshakeTimeout: 100 } } });
    const socket = netConnect(port, '127.0.0.1');
    expect(await askOn(socket, PATH, 'localhost')).toBe('');
    const silent = netConnect(port, '127.0.0.1').resume();
    await eventually(() => silent.closed);
    expect(await connections()).toBe(0);
  });
});

describe('IPv6', () => {
  test('listens there, and takes an address as Host', async () => {
    const { port, records } = await start({ address: '::1' });
    for (const host of [`[::1]:${port}`, '[::1]']) {
      expect(await askOn(netConnect(port, '::1'), PATH, host)).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(records.map(({ client, registry }) => [client, registry])).toEqual([
      ['::1', 'docker.io'],
      ['::1', 'docker.io'],
    ]);
    expect(await askOn(netConnect(port, '::1'), PATH, '[::1')).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('HTTP/1.1', () => {
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

  test('many requests on one connection, one after the other', async () => {
    const { port, connections } = await start({});
    const socket = netConnect(port, '127.0.0.1');
    for (let at = 0; at < 20; at += 1) {
      socket.write(`HEAD ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect(await readHead(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
    expect(await connections()).toBe(1);
    socket.destroy();
  });

  test('pipelined requests are answered in their order, whichever is ready first', async () => {
    const { port } = await start({
      rules: [rule({ mode: 'off' })],
      handler: (req, res) => {
        const name = req.url?.split('/').at(-1) ?? '';
        setTimeout(() => res.end(`<${name}>`), name === 'first' ? 60 : 0);
      },
    });
    const socket = netConnect(port, '127.0.0.1');
    const path = '/v2/library/app/manifests/';
    socket.write(request(`${path}first`) + request('/v2/library/%/x') + request(`${path}third`));
    const answer = await askOn(socket, `${path}last`, 'localhost');
    expect(answer.match(/<[a-z]+>|HTTP\/1\.1 \d{3}/g)).toEqual([
      'HTTP/1.1 200',
      '<first>',
      'HTTP/1.1 400',
      'HTTP/1.1 200',
      '<third>',
      'HTTP/1.1 200',
      '<last>',
    ]);
  });
});
