const ROUTING = Buffer.from('ED');
const INTRO = Buffer.from([0x57, 0x41, 6, 3]);

/** Puts the three bytes of its length before a frame. */
export function frame(body: Uint8Array): Buffer {
  const length = Buffer.alloc(3);
  length.writeUIntBE(body.length, 0, 3);
  return Buffer.concat([length, body]);
}

/** Cuts what a client sends into frames; before the first one it skips the routing info, if any, and the intro. */
export function frameReader(): (data: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  let introduced = false;
  return (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    if (!introduced) {
      const start = rest.subarray(0, 2).equals(ROUTING) ? 7 + rest.readUIntBE(4, 3) : 0;
      if (!rest.subarray(start, start + INTRO.length).equals(INTRO)) {
        throw new Error(`The client's intro is ${rest.subarray(0, 16).toString('hex')}, not "WA", 6, 3.`);
      }
      rest = rest.subarray(start + INTRO.length);
      introduced = true;
    }
    const frames: Buffer[] = [];
    while (rest.length >= 3 && rest.length >= 3 + rest.readUIntBE(0, 3)) {
      const end = 3 + rest.readUIntBE(0, 3);
      frames.push(rest.subarray(3, end));
      rest = rest.subarray(end);
    }
    return frames;
  };
}
