/** DNS rebinding: a web page whose name leads to the admin port reads it with the browser of somebody who can reach it. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { startDemoWorld } from '../../proxy/demo/world.ts';
import { startRuntime } from '../../proxy/runtime/start.ts';
import { createFolder, removeFolders, write } from '../config/scratch.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
  removeFolders();
});

const REGISTRY = 'registry.example.com';

async function start(hosts: readonly string[] = []) {
  const world = await startDemoWorld();
  const folder = createFolder();
  const load = (names: readonly string[]) =>
    loadConfig(
      write(
        folder,
        'pullwarden.yaml',
        `listen: { address: 127.0.0.1, port: 0 }
admin: { address: 127.0.0.1, port: 0${names.length === 0 ? '' : `, hosts: [${names.join(', ')}]`} }
registries: [{ name: ${REGISTRY}, upstream: "${world.registry.url}", trust: { server: "${world.notary.url}" } }]
trust: { state: { kind: memory }, pins: [{ match: ${REGISTRY}/**, rootKeys: [${world.rootKeyId}] }] }
policy: { rules: [{ name: all, match: ${REGISTRY}/**, mode: enforce }] }
`,
      ),
    );
  const runtime = await startRuntime(await load(hosts), {
    version: '0',
    node: 'v20',
    logTo: { write: () => 0 },
  });
  running.push({ close: () => world.stop() }, { close: () => runtime.close(0) });
  const ask = (path: string, headers: IncomingHttpHeaders = {}) => askAdmin(runtime.adminPort, path, headers);
  return {
    port: runtime.adminPort,
    ask,
    reload: async (names: readonly string[]) => runtime.reload(await load(names)),
  };
}

function askAdmin(port: number, path: string, headers: IncomingHttpHeaders) {
  return new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers }, (res) => {
      text(res).then((body) => resolve({ status: res.statusCode ?? 0, body }), reject);
    });
    sent.on('error', reject).end();
  });
}

const SHOWN = ['/', '/api/status', '/api/decisions', '/metrics'];

describe('a page whose name leads to the admin port', () => {
  test.each(SHOWN)('reads nothing of %s', async (path) => {
    const { ask, port } = await start();
    const { status, body } = await ask(path, { host: `rebound.example:${port}` });
    expect(status).toBe(421);
    expect(body).toBe(
      'the admin port does not answer to the host name "rebound.example"; use its IP address, or add the name to admin.hosts\n',
    );
  });

  test.each(SHOWN)('at another name asks for %s and gets nothing', async (path) => {
    const { ask } = await start();
    expect((await ask(path, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await ask(path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).status).toBe(
      403,
    );
  });

  test('learns of health no more than yes or no', async () => {
    const { ask } = await start();
    expect(await ask('/readyz', { host: 'rebound.example' })).toEqual({ status: 200, body: 'ready\n' });
    expect(await ask('/livez', { host: 'rebound.example' })).toEqual({ status: 200, body: 'ok\n' });
  });
});

describe('operators', () => {
  test.each(['127.0.0.1', '10.4.0.7:9150', '[fd00::7]:9150', 'localhost:9150'])(
    'and their programs ask for %s as before',
    async (host) => {
      const { ask } = await start();
      for (const path of [...SHOWN, '/livez', '/readyz'])
        expect((await ask(path, { host })).status).toBe(200);
      expect((await ask('/readyz', { host })).body).toContain('[+] ');
    },
  );

  test('list the names it goes by; a reload is enough', async () => {
    const { ask, reload } = await start();
    expect((await ask('/metrics', { host: 'pullwarden:9150' })).status).toBe(421);
    await reload(['pullwarden']);
    for (const path of SHOWN) expect((await ask(path, { host: 'pullwarden:9150' })).status).toBe(200);
    expect((await ask('/metrics', { host: 'pullwarden.example' })).status).toBe(421);
  });
});
