//! Sums and means that lose as little as possible.
//!
//! Both follow Prometheus operation by operation, for people compare the results bit by bit.

/// A sum after Kahan and Neumaier.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl Sum {
    pub(crate) fn new(first: f64) -> Self {
        Self {
            sum: first,
            lost: 0.0,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.lost
        }
    }
}

/// A mean. It sums and divides at the end, unless the sum overflows: then it goes on as a running
/// mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    running: bool,
}

impl Mean {
    pub(crate) fn new(first: f64) -> Self {
        Self {
            sum: Sum::new(first),
            count: 1.0,
            running: false,
        }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.running {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.running = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.lost /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum.sum *= weight;
        self.sum.lost *= weight;
        self.sum.add(value / self.count);
    }

    pub(crate) fn mean(self) -> f64 {
        if self.running {
            self.sum.sum + self.sum.lost
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}
