import { open, read } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { messageOf } from '../../../errors/error.js';
import { connectionDescriptor } from '../../../fuse/mount.js';
import { serve } from '../../../fuse/server.js';
import { connectNbd } from '../../../nbd/client.js';
import type { ReadableDisk } from '../../mappers/mapper.js';
import { ChunkReader, type ReadDisk } from './chunks.js';
import type { DiskFacts, Time } from './format.js';
import type { Segment } from './plan.js';
import { SegmentView } from './view.js';

const openFile = promisify(open);
const readAt = promisify(read);

/** What the server is told first, as one line of JSON. */
export interface ViewPlan {
  facts: DiskFacts;
  /** Of the folder. */
  imageTime: Time;
  segments: Segment[];
  /** So long a read of the disk is waited for. */
  stalledMs: number;
}

/** What was read, as the server says when it is asked to. */
export interface ViewReport {
  /** From the disk. */
  bytesRead: number;
  /** Segments of which every byte was given since the last `begin`. */
  complete: number[];
}

/**
 * The server of a block volume's view: it runs in the volume's mount namespace, over a FUSE filesystem that is mounted
 * already. Lines come by stdin: the plan, `disk ` and where it can be read, `begin` (restic is about to read), and `report`; lines
 * go by stdout: `ready`, `need` (a disk, because something is read), `stalled OFFSET` (a read that takes too long), `failed WHY`
 * (one that failed), `begun`, and the report.
 *
 * @returns the exit code, once nothing is mounted any more
 */
export async function serveView(input: Readable, output: Writable): Promise<number> {
  let haveDisk: (disk: Promise<ReadDisk>) => void = () => undefined;
  const disk = new Promise<ReadDisk>((resolve) => (haveDisk = resolve));
  let needed = false;
  let served: { view: SegmentView; reader: ChunkReader; sizeBytes: number } | null = null;
  const say = (line: string) => output.write(`${line}\n`);
  const askForDisk = () => {
    if (!needed) say('need');
    needed = true;
    return disk;
  };
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  createInterface({ input }).on('line', (line) => {
    if (served === null) {
      const plan = JSON.parse(line) as ViewPlan;
      const { sizeBytes, segmentBytes } = plan.facts;
      const expected = plan.segments.filter(({ read }) => read).map(({ index }) => index);
      const reader = new ChunkReader(
        { sizeBytes, segmentBytes, expected, open: askForDisk },
        {
          afterMs: plan.stalledMs,
          stalled: (offset) => say(`stalled ${offset}`),
          failed: (why) => say(`failed ${why}`),
        },
      );
      const view = new SegmentView(plan.facts, plan.segments, reader.read, plan.imageTime);
      served = { view, reader, sizeBytes };
      say('ready');
      void serve(connectionDescriptor, view).then(ended);
    } else if (line.startsWith('disk ')) {
      needed = true;
      const opened = openDisk(JSON.parse(line.slice('disk '.length)) as ReadableDisk, served.sizeBytes);
      // Nobody may be reading yet.
      opened.catch((thrown: unknown) => say(`failed ${messageOf(thrown)}`));
      haveDisk(opened);
    } else if (line === 'begin') {
      served.view.begin();
      say('begun');
    } else if (line === 'report') {
      const { view, reader } = served;
      const report: ViewReport = { bytesRead: reader.bytesRead, complete: view.complete() };
      say(`report ${JSON.stringify(report)}`);
    }
  });
  await end;
  return 0;
}

async function openDisk(disk: ReadableDisk, sizeBytes: number): Promise<ReadDisk> {
  if ('socket' in disk) {
    const served = await connectNbd(disk.socket, disk.export);
    if (served.sizeBytes !== sizeBytes)
      throw new Error(`the disk has ${served.sizeBytes} bytes instead of ${sizeBytes}`);
    return (into, offset) => served.read(into, offset);
  }
  const descriptor = await openFile(disk.device, 'r');
  return async (into, offset) => {
    for (let filled = 0; filled < into.length;) {
      const { bytesRead } = await readAt(descriptor, into, filled, into.length - filled, offset + filled);
      if (bytesRead === 0) throw new Error('the device ends too early');
      filled += bytesRead;
    }
  };
}
