// Rows of a timeline as an image, pixel by pixel, so that a picture costs its pixels, however many bars there are.
// Knows: how segments look. Ran: full and solid, as high as the part of the pixel's time that ran. Waited: lower, and
// hatched. Could have run: dotted. Not started: a line. Knows nothing of where the image goes.
const Paint = (() => {
  const [PANEL, RAN, WAITED, STRIPE, READY, DOT, DIM, SOFT] = [0, 1, 2, 3, 4, 5, 6, 7];

  function make() {
    const palette = new Uint32Array(8),
      mixed = new Uint32Array(9);
    let image = null,
      pixels,
      share,
      what,
      w = 0,
      h = 0;

    // A clean picture of this size.
    function begin(width, height) {
      [w, h] = [width, height];
      if (image?.width !== w || image.height !== h) {
        image = new ImageData(w, h);
        pixels = new Uint32Array(image.data.buffer);
        share = new Uint8Array(w);
        what = new Uint8Array(w);
      }
      const n = Page.numbers;
      palette.set([n.panel, n.run, n.wait, n.stripe, n.ready, n.dot, n.dim, n.soft]);
      for (let step = 0; step <= 8; step++) mixed[step] = between(n.wait, n.run, step / 8);
      pixels.fill(palette[PANEL]);
    }
    function between(from, to, part) {
      let pixel = 255 << 24;
      for (const shift of [0, 8, 16]) {
        pixel |= Math.round(((from >> shift) & 255) * (1 - part) + ((to >> shift) & 255) * part) << shift;
      }
      return pixel >>> 0;
    }

    // A track from y0 to y1, of ``step`` ns a pixel; ``coarse`` pixels are alike, where there is no time for each.
    function row(tracks, index, from, step, y0, y1, ratio, coarse = 1, chosen = false) {
      if (chosen) pixels.fill(palette[SOFT], Math.max(y0, 0) * w, Math.min(y1, h) * w);
      tracks.pixels(index, from, step * coarse, Math.ceil(w / coarse), share, what);
      if (coarse > 1) spread(coarse);
      const pad = y1 - y0 > 6 * ratio ? Math.round(2 * ratio) : y1 - y0 > 2 ? 1 : 0,
        size = y1 - y0 - pad;
      if (size <= 4) thin(Math.max(y0, 0), Math.min(y0 + size, h));
      else thick(y0, size, Math.max(1, Math.round(ratio)));
    }
    function spread(by) {
      for (let x = w - 1; x >= 0; x--) {
        const from = Math.floor(x / by);
        share[x] = share[from];
        what[x] = what[from];
      }
    }

    function thick(y0, size, line) {
      const { NONE, WAIT, READY: CAN_RUN, NEW } = Tracks;
      const low = size > 6 ? Math.round(size * 0.22) : 0,
        middle = y0 + (size >> 1);
      const least = size * 0.4; // of a pixel in which anything ran
      for (let y = Math.max(y0, 0), until = Math.min(y0 + size, h); y < until; y++) {
        const at = y * w,
          up = y0 + size - y,
          inside = y >= y0 + low && y < y0 + size - low;
        const through = y >= middle && y < middle + line;
        for (let x = 0, phase = y % 6; x < w; x++, phase = phase === 5 ? 0 : phase + 1) {
          const part = share[x],
            kind = what[x];
          if (part !== 0 && (part === 255 || up <= least || up <= (part * size) >> 8)) pixels[at + x] = palette[RAN];
          else if (kind === NONE) continue;
          else if (kind === WAIT) {
            if (inside) pixels[at + x] = palette[phase === 0 ? STRIPE : WAITED];
          } else if (kind === CAN_RUN) {
            if (inside) pixels[at + x] = palette[((x | y) & 3) === 0 ? DOT : READY];
          } else if (kind === NEW ? through : inside && phase % 3 === 0) pixels[at + x] = palette[DIM];
        }
      }
    }

    // Too thin for patterns: one line of colours between those of waiting and running, and its copies.
    function thin(y0, y1) {
      const { NONE, READY: CAN_RUN, NEW } = Tracks,
        at = y0 * w;
      for (let x = 0; x < w; x++) {
        const part = share[x],
          kind = what[x];
        if (part !== 0) pixels[at + x] = mixed[1 + (part >> 5)];
        else if (kind !== NONE)
          pixels[at + x] = palette[kind < CAN_RUN ? WAITED : kind === CAN_RUN ? READY : kind === NEW ? SOFT : DIM];
      }
      for (let y = y0 + 1; y < y1; y++) pixels.copyWithin(y * w, at, at + w);
    }

    return { begin, row, put: (context, x, y) => context.putImageData(image, x, y) };
  }

  return { make };
})();
