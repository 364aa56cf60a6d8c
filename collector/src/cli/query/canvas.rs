//! A drawing of dots in a terminal: each character holds two by four of them, as the braille script
//! has them.

/// Dots across and down in one character.
pub(super) const ACROSS: usize = 2;
pub(super) const DOWN: usize = 4;

/// The bits of a braille character, by column and row of the dot.
const BITS: [[u8; DOWN]; ACROSS] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// The first braille character, which has no dots.
const BLANK: u32 = 0x2800;

/// One character of the drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    dots: u8,
    /// Which series was drawn here last.
    pub(super) series: usize,
}

impl Cell {
    /// Its character; none where nothing was drawn.
    pub(super) fn symbol(self) -> Option<char> {
        let is_drawn = self.dots != 0;
        is_drawn.then(|| char::from_u32(BLANK + u32::from(self.dots)))?
    }
}

/// The drawing.
#[derive(Debug)]
pub(super) struct Canvas {
    width: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    /// Nothing, in so many characters.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            cells: vec![Cell::default(); width * height],
        }
    }

    /// The lines, from the top.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks(self.width.max(1))
    }

    /// A dot; nothing outside of the drawing. Columns count from the left, rows from the top.
    pub(super) fn dot(&mut self, column: usize, row: usize, series: usize) {
        if column / ACROSS >= self.width {
            return;
        }
        let place = row / DOWN * self.width + column / ACROSS;
        if let Some(cell) = self.cells.get_mut(place) {
            cell.dots |= BITS[column % ACROSS][row % DOWN];
            cell.series = series;
        }
    }

    /// Dots from one place to another, one in each column or in each row, whichever are more.
    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize), series: usize) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |from: usize, to: usize, step: usize| {
            let way = (to as f64 - from as f64) * step as f64 / steps as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let at = (from as f64 + way).round() as usize;
            at
        };
        for step in 0..=steps {
            let column = between(from.0, to.0, step);
            self.dot(column, between(from.1, to.1, step), series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(canvas: &Canvas) -> Vec<String> {
        let lines = canvas.lines();
        lines
            .map(|line| {
                line.iter()
                    .map(|cell| cell.symbol().unwrap_or(' '))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn lines_are_dots_in_characters() {
        let mut canvas = Canvas::new(3, 2);
        canvas.line((0, 7), (5, 0), 1);
        assert_eq!(drawn(&canvas), [" ⢀⠎", "⡰⠁ "].map(str::to_owned));
        let mut flat = Canvas::new(2, 1);
        flat.line((3, 0), (0, 0), 0);
        assert_eq!(drawn(&flat), ["⠉⠉"]);
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        let mut canvas = Canvas::new(1, 1);
        canvas.dot(2, 0, 0);
        canvas.dot(0, 4, 0);
        canvas.dot(1, 3, 7);
        assert_eq!(drawn(&canvas), ["⢀"]);
        Canvas::new(0, 0).dot(0, 0, 0);
    }
}
