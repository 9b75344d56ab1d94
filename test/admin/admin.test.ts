import { request } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type RunningAdmin, startAdmin } from '../../proxy/admin/admin.ts';
import type { AdminDeps } from '../../proxy/admin/types.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import { createMetrics } from '../../proxy/telemetry/metrics.ts';
import { decisionRecord, METRICS_OPTIONS } from '../telemetry/fixtures.ts';
import { NOW, statusWith } from './fixtures.ts';

const running: RunningAdmin[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((admin) => admin.close()));
});

const ignore = (): void => undefined;
const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => silent };

async function start(overrides: Partial<AdminDeps> = {}): Promise<string> {
  const metrics = createMetrics(METRICS_OPTIONS);
  const deps: AdminDeps = {
    log: silent,
    now: () => NOW,
    hosts: () => [],
    metrics: metrics.render,
    readiness: () => [{ name: 'configuration loaded', ok: true }],
    status: () => statusWith(),
    decisions: () => [{ ...decisionRecord(), compared: true }],
    ...overrides,
  };
  const admin = await startAdmin(deps, { address: '127.0.0.1', port: 0 });
  running.push(admin);
  return `http://127.0.0.1:${admin.port}`;
}

describe('/livez', () => {
  test('answers whatever the readiness is', async () => {
    const origin = await start({ readiness: () => [{ name: 'state', ok: false }] });
    const response = await fetch(`${origin}/livez`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('ok\n');
  });
});

describe('/readyz', () => {
  test('is 200 when every check passes', async () => {
    const response = await fetch(`${await start()}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('[+] configuration loaded\nready\n');
  });

  test('is 503 with the reason when one fails', async () => {
    const readiness = () => [
      { name: 'configuration loaded', ok: true },
      { name: 'state usable', ok: false, detail: 'cannot write ./state: EACCES' },
    ];
    const response = await fetch(`${await start({ readiness })}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('[-] state usable: cannot write ./state: EACCES\nnot ready\n');
  });

  test('an advisory check is shown and does not take the replica out of service', async () => {
    const readiness = async () => [
      { name: 'listening', ok: true },
      { name: 'last reload', ok: false, advisory: true },
    ];
    const response = await fetch(`${await start({ readiness })}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('[!] last reload\n');
  });

  test('is 503 when nothing is checked, and when asking fails', async () => {
    expect((await fetch(`${await start({ readiness: () => [] })}/readyz`)).status).toBe(503);
    const readiness = () => Promise.reject(new Error('state store gone'));
    const response = await fetch(`${await start({ readiness })}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('state store gone');
  });

  test('is JSON for who asks for it', async () => {
    const readiness = () => [{ name: 'listening', ok: false, detail: 'not yet' }];
    const response = await fetch(`${await start({ readiness })}/readyz`, {
      headers: { accept: 'application/json' },
    });
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, checks: readiness() });
  });
});

describe('/metrics', () => {
  test('is the exposition with its content type', async () => {
    const response = await fetch(`${await start()}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('pullwarden_build_info{');
  });
});

describe('the status page', () => {
  test('is HTML that may load and run nothing', async () => {
    const response = await fetch(`${await start()}/`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).toContain('docker.io/library/alpine:3.20');
  });
});

describe('/api', () => {
  test('status has the rules, the registries and the soonest expiry first', async () => {
    const response = await fetch(`${await start()}/api/status`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toMatchObject({
      version: '1.2.3',
      enforcing: { answer: 'yes', because: [] },
      policy: { hash: 'policy-hash-1', rules: [{ name: 'base-images' }] },
      registries: [{ name: 'docker.io' }],
      trust: [{ gun: 'docker.io/library/alpine' }],
    });
  });

  test('decisions are the recent ones, in the words of their log lines', async () => {
    const response = await fetch(`${await start()}/api/decisions`);
    expect(await response.json()).toMatchObject({
      decisions: [
        {
          time: expect.stringMatching(/^\d{4}-.*Z$/),
          request_id: 'req-1',
          ns: 'docker.io',
          reason: 'signed',
          compared: true,
        },
      ],
    });
  });
});

describe('anything else', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    '%s is 405 with the methods that are allowed',
    async (method) => {
      const response = await fetch(`${await start()}/api/status`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
    },
  );

  test.each(['/nothing', '/api', '/api/status/', '/%2e%2e/etc/passwd', '/__proto__', '/constructor'])(
    '%s is 404',
    async (path) => {
      expect((await fetch(`${await start()}${path}`)).status).toBe(404);
    },
  );

  test('HEAD has the headers and no body', async () => {
    const response = await fetch(`${await start()}/api/status`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(100);
    expect(await response.text()).toBe('');
  });

  test('a page that fails is 500, says nothing of the inside, and is logged', async () => {
    const logged: object[] = [];
    const status = (): never => {
      throw new Error('inner workings');
    };
    const origin = await start({ status, log: { ...silent, error: (fields) => void logged.push(fields) } });
    const response = await fetch(`${origin}/`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('inner workings');
    expect(logged).toHaveLength(1);
  });
});

describe('the listener', () => {
  test('says that a port is taken', async () => {
    const port = Number(new URL(await start()).port);
    const deps = { ...({} as AdminDeps), log: silent };
    await expect(startAdmin(deps, { address: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('lets an answer under way finish when it closes, and takes no new request', async () => {
    let finish: () => void = ignore;
    const waiting = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let asked: () => void = ignore;
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const readiness = async () => {
      asked();
      await waiting;
      return [{ name: 'listening', ok: true }];
    };
    const origin = await start({ readiness });
    const answer = fetch(`${origin}/readyz`);
    await wasAsked;
    const closed = running.splice(0)[0]?.close();
    await expect(fetch(`${origin}/livez`)).rejects.toThrow();
    finish();
    expect((await answer).status).toBe(200);
    await closed;
  });

  test('ends a client that holds its connection', async () => {
    const origin = await start({ readiness: () => new Promise(() => undefined) });
    const stuck = new Promise((resolve) => {
      request(`${origin}/readyz`).on('error', resolve).end();
    });
    // The request has to be under way, or there is nothing to hold.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await running.splice(0)[0]?.close();
    await expect(stuck).resolves.toMatchObject({ code: 'ECONNRESET' });
  });
});
