/** A Notary server in a thread of its own, so that what is measured does not wait for its work. Posts its URL. */
import { parentPort, workerData } from 'node:worker_threads';
import { SimulatedRepository } from '../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../proxy/demo/notary/notary-server.ts';
import type { Gun } from '../proxy/names/reference.ts';
import { delay } from '../test/simulators/faults.ts';

const { gun } = workerData as { readonly gun: Gun };
const repository = new SimulatedRepository(gun, { snapshotKey: 'ed25519', timestampKey: 'ed25519' });
for (const delegation of ['releases', 'qa']) repository.addDelegation(delegation);
for (let i = 0; i < 20; i += 1) repository.trustSign('qa', `1.${i}`, `sha256:${'ab'.repeat(32)}`, 1000);
repository.publish();
const server = new NotaryServer({ repositories: [repository] });
await server.start();
/** A number of milliseconds, from now on for each request. */
parentPort?.on('message', (milliseconds: number) => {
  server.fault(/./, delay(milliseconds));
  parentPort?.postMessage(server.url);
});
parentPort?.postMessage(server.url);
