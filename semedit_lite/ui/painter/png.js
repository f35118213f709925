// Layouts as PNG, written and read byte by byte: a canvas' own pixels are not exact everywhere, since
// private browsing adds noise to them and colour management shifts them. 8 bits, pixel = class id,
// size x size; grey, or with a palette where colours are given.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = -1;
  for (let k = 0; k < bytes.length; k++) crc = CRC[(crc ^ bytes[k]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const through = async (transform, bytes) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(transform)).arrayBuffer());

function chunk(type, data) {
  const bytes = new Uint8Array(data.length + 12), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set([...type].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

async function writePng(pixels, size, colours = []) {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, size);
  view.setUint32(4, size);
  header[8] = 8; // bits
  header[9] = colours.length ? 3 : 0; // palette or grey
  const rows = new Uint8Array(size * (size + 1)); // each row starts with its filter, 0 for none
  for (let y = 0; y < size; y++) rows.set(pixels.subarray(y * size, (y + 1) * size), y * (size + 1) + 1);
  const packed = await through(new CompressionStream("deflate"), rows);
  const palette = colours.length ? [chunk("PLTE", Uint8Array.from(colours.flat()))] : [];
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const file = [signature, chunk("IHDR", header), ...palette, chunk("IDAT", packed), chunk("IEND", [])];
  return new Blob(file, { type: "image/png" });
}

// The browser writes base64 beside the page's own work.
const asUrl = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = reject;
  reader.readAsDataURL(blob);
});

async function readPng(url, size) {
  const file = Uint8Array.from(atob(url.split(",")[1]), (letter) => letter.charCodeAt(0));
  const view = new DataView(file.buffer), packed = [];
  for (let at = 8; at < file.length; at += view.getUint32(at) + 12) {
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (type === "IDAT") packed.push(file.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  if (view.getUint32(16) !== size || view.getUint32(20) !== size) throw Error("layout of another size");
  const rows = await through(new DecompressionStream("deflate"), await new Blob(packed).arrayBuffer());
  const pixels = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    const filter = rows[y * (size + 1)];
    for (let x = 0; x < size; x++) {
      const at = y * size + x;
      const left = x ? pixels[at - 1] : 0, up = y ? pixels[at - size] : 0, corner = x && y ? pixels[at - size - 1] : 0;
      pixels[at] = rows[y * (size + 1) + 1 + x] + predicted(filter, left, up, corner);
    }
  }
  return pixels;
}

function predicted(filter, left, up, corner) {
  if (filter < 3) return filter === 0 ? 0 : filter === 1 ? left : up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - corner; // Paeth: the neighbour nearest to this
  const a = Math.abs(guess - left), b = Math.abs(guess - up), c = Math.abs(guess - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
