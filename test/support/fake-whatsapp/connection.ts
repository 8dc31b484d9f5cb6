import { decodeBinaryNode, encodeBinaryNode, type proto } from 'baileys';
import type { WebSocket } from './baileys-libraries.ts';
import { frame, frameReader } from './frames.ts';
import { noiseResponder } from './noise.ts';
import type { Stanza } from './stanza.ts';

/** One client's connection, after the WebSocket is up. */
export interface Connection {
  /** The client's long-term key of the transport; set when the client has introduced itself. */
  readonly noiseKey: Buffer;
  /** While true, what the client sends is read and forgotten, and nothing is sent to it. */
  blackHole: boolean;
  /** Sends a stanza, unless the connection is closed or a black hole. */
  send(node: Stanza): void;
  /** Sends bytes in place of stanzas, in one message: the contents of frames, sealed as stanzas are, or as they are. */
  sendBytes(bytes: readonly Uint8Array[], how: 'sealed' | 'as they are'): void;
  /** Reads and sends nothing more, not even the end of the WebSocket. */
  freeze(): void;
  /** Cuts the TCP connection without a word. */
  drop(): void;
  /** Closes the WebSocket in good order. */
  close(): void;
}

/** What the server does with a connection. */
export interface ConnectionHandler {
  /** The client has introduced itself: either as a new device or as one that is paired. */
  opened(connection: Connection, payload: proto.ClientPayload): void;
  received(node: Stanza): void;
  closed(): void;
  /** The client broke the protocol, or the fake is wrong; the connection is cut. */
  failed(error: unknown): void;
}

/** Takes the handshake over a new WebSocket, then hands stanzas to the handler, in order. */
export function acceptConnection(socket: WebSocket, handler: ConnectionHandler): Connection {
  const noise = noiseResponder();
  const framesOf = frameReader();
  let step: 'hello' | 'finish' | 'stanzas' | 'closed' = 'hello';
  let noiseKey: Buffer | undefined;
  let work = Promise.resolve();

  const connection: Connection = {
    get noiseKey() {
      return noiseKey!;
    },
    blackHole: false,
    send(node) {
      if (step === 'stanzas' && !connection.blackHole) socket.send(frame(noise.seal(encodeBinaryNode(node))));
    },
    sendBytes(bytes, how) {
      const sent = how === 'sealed' ? bytes.map((content) => frame(noise.seal(content))) : bytes;
      if (step === 'stanzas') socket.send(Buffer.concat(sent));
    },
    freeze() {
      connection.blackHole = true;
      socket.pause();
    },
    drop: () => socket.terminate(),
    close: () => socket.close(),
  };

  const receive = async (body: Buffer) => {
    if (step === 'hello') {
      socket.send(frame(noise.answerHello(body)));
      step = 'finish';
    } else if (step === 'finish') {
      const finish = noise.readFinish(body);
      noiseKey = finish.noiseKey;
      step = 'stanzas';
      handler.opened(connection, finish.payload);
    } else if (step === 'stanzas') {
      const node = await decodeBinaryNode(noise.open(body));
      if (!connection.blackHole) handler.received(node);
    }
  };

  const fail = (error: unknown) => {
    handler.failed(error);
    socket.terminate();
  };

  socket.on('message', (data) => {
    try {
      for (const body of framesOf(data)) work = work.then(() => receive(body)).catch(fail);
    } catch (error) {
      fail(error);
    }
  });
  socket.on('close', () => {
    step = 'closed';
    handler.closed();
  });
  socket.on('error', () => socket.terminate());
  return connection;
}
