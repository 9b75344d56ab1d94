/**
 * The admin port: health, metrics and status, for operators only. It reads and never changes anything, and it is
 * never on the pull port (README.md, "Operate it").
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa, { type Context } from 'koa';
import { type AskedFault, judgeAskedBy } from './asked-by.ts';
import { askReadiness, toReadinessText } from './health.ts';
import { toDecisionsJson, toStatusJson } from './status-json.ts';
import { CONTENT_SECURITY_POLICY, toStatusPage } from './status-page.ts';
import type { AdminDeps } from './types.ts';

/** How long a request that is being answered may take once the port is closing, in milliseconds. */
const CLOSE_GRACE_MS = 1000;
/** How long a client may take to send a request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

type Handler = (ctx: Context, deps: AdminDeps) => void | Promise<void>;

/** Answered under every name, without reasons: a check by an unlisted name must not take a replica out of service. */
const HEALTH: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['/livez', showLiveness],
  ['/readyz', (ctx, deps) => showReadiness(ctx, deps, { reasons: false })],
]);

const ROUTES: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['/', showStatusPage],
  ['/livez', showLiveness],
  ['/readyz', (ctx, deps) => showReadiness(ctx, deps, { reasons: true })],
  ['/metrics', showMetrics],
  ['/api/status', (ctx, { status, now }) => showJson(ctx, toStatusJson(status(), now()))],
  ['/api/decisions', (ctx, { decisions }) => showJson(ctx, toDecisionsJson(decisions()))],
]);

export function createAdmin(deps: AdminDeps): Koa {
  const app = new Koa();
  app.on('error', (err: unknown) => deps.log.error({ err }, 'admin request failed'));
  app.use(async (ctx) => {
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.set('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    const handle = ROUTES.get(ctx.path);
    if (handle === undefined) return refuse(ctx, 404, `not found; there is ${[...ROUTES.keys()].join(', ')}`);
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      return refuse(ctx, 405, 'only GET and HEAD');
    }
    const fault = faultOf(ctx, deps);
    const answer = fault === undefined ? handle : HEALTH.get(ctx.path);
    if (answer !== undefined) return await answer(ctx, deps);
    if (fault !== undefined) refuse(ctx, fault.status, fault.message);
  });
  return app;
}

function faultOf({ req }: Context, { hosts }: AdminDeps): AskedFault | undefined {
  const {
    origin,
    'sec-fetch-site': site,
    'sec-fetch-mode': mode,
    'sec-fetch-dest': dest,
  } = req.headersDistinct;
  const asked = {
    hosts: req.headersDistinct['host'] ?? [],
    origin: origin?.join(),
    site: site?.join(),
    mode: mode?.join(),
    dest: dest?.join(),
  };
  return judgeAskedBy(asked, hosts());
}

export type RunningAdmin = {
  readonly address: string;
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** Stops listening, lets answers under way finish for a second, then ends what is left. */
  close(): Promise<void>;
};

/** @throws the listen error (`EADDRINUSE`, `EACCES`) of node:net when the port cannot be had. */
export async function startAdmin(
  deps: AdminDeps,
  at: { readonly address: string; readonly port: number },
): Promise<RunningAdmin> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, createAdmin(deps).callback());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.address, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      const last = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      server.close(() => {
        clearTimeout(last);
        resolve();
      });
      server.closeIdleConnections();
    });
  return { address, port, close };
}

function showStatusPage(ctx: Context, { status, decisions, now }: AdminDeps): void {
  ctx.type = 'text/html; charset=utf-8';
  ctx.body = toStatusPage(status(), decisions(), now());
}

/** Alive means that the event loop turns; whether the proxy can work is a question for /readyz. */
function showLiveness(ctx: Context): void {
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = 'ok\n';
}

async function showReadiness(
  ctx: Context,
  deps: AdminDeps,
  { reasons }: { readonly reasons: boolean },
): Promise<void> {
  const { ready, checks } = await askReadiness(deps.readiness);
  const readiness = { ready, checks: reasons ? checks : [] };
  ctx.vary('Accept');
  if (ctx.accepts('text/plain', 'application/json') === 'application/json') showJson(ctx, readiness);
  else {
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = toReadinessText(readiness);
  }
  ctx.status = readiness.ready ? 200 : 503;
}

async function showMetrics(ctx: Context, { metrics }: AdminDeps): Promise<void> {
  const { contentType, body } = await metrics();
  ctx.set('Content-Type', contentType);
  ctx.body = body;
}

function showJson(ctx: Context, value: object): void {
  ctx.type = 'application/json; charset=utf-8';
  ctx.body = `${JSON.stringify(value, undefined, 2)}\n`;
}

function refuse(ctx: Context, status: number, message: string): void {
  ctx.status = status;
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = `${message}\n`;
}
