import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import type { NotaryServer } from '../notary-server.ts';
import { findFreePort, onCleanUp } from '../process.ts';

/** Stands between a client and a Notary server and keeps what is uploaded, also what the server then refuses. */
export interface Recorder extends Pick<NotaryServer, 'url' | 'caFile'> {
  /** The file of a role in the last upload, exact bytes. */
  lastUploaded(role: string): Buffer | undefined;
}

export async function startRecorder(server: NotaryServer): Promise<Recorder> {
  const ca = await readFile(server.caFile);
  let upload: Buffer = Buffer.alloc(0);
  const relay = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const body = await readAll(incoming);
    if (incoming.method === 'POST') upload = body;
    const { method, url: path, headers } = incoming;
    const call = request({ host: 'localhost', port: server.port, ca, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    call.on('error', () => answer.destroy()).end(body);
  };
  const port = await findFreePort();
  const listener = createServer((incoming, answer) => {
    relay(incoming, answer).catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  onCleanUp(() => close(listener));
  return {
    url: `http://127.0.0.1:${port}`,
    caFile: server.caFile,
    lastUploaded: (role) => partOf(upload, role),
  };
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** One file of a multipart body; Notary names it by its role. */
function partOf(upload: Buffer, role: string): Buffer | undefined {
  const text = upload.toString('latin1');
  const boundary = text.slice(0, text.indexOf('\r\n'));
  const part = text.split(boundary).find((candidate) => candidate.includes(`filename="${role}"`));
  const content = part?.slice(part.indexOf('\r\n\r\n') + 4, part.lastIndexOf('\r\n'));
  return content === undefined ? undefined : Buffer.from(content, 'latin1');
}

function close(listener: Server): Promise<void> {
  listener.closeAllConnections();
  return new Promise((resolve) => listener.close(() => resolve()));
}
