/** A process that refreshes one repository without end and says each version it would serve from; made to be killed. */
import { writeSync } from 'node:fs';
import { openFileState } from '../../../dist/cache/state/file-state.js';
import { createNotarySource } from '../../../dist/trust-client/notary-source.js';
import { updateTrust } from '../../../dist/trust-client/update.js';
import { createHttpClient } from '../../../dist/upstream/http-client.js';

const [folder, server, gun] = process.argv.slice(2);
const state = await openFileState(folder);
const client = createHttpClient({
  upstream: 'test',
  kind: 'notary',
  baseUrl: server,
  auth: { kind: 'anonymous' },
});
const source = createNotarySource(client);

for (;;) {
  const signal = AbortSignal.timeout(10_000);
  const request = { gun, pin: { kind: 'firstUse' }, now: new Date(), signal };
  const trust = await updateTrust({ source, state }, request);
  const { version } = trust.roles.find(({ role }) => role === 'timestamp');
  writeSync(1, `${version}\n`);
}
