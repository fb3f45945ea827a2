//! Tastes in several domains that share a common part: θ_d = θ₀ + δ_d, exact.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use crate::error::{in_range, same_length};
use crate::{
    Conjugate, Exact, Family, Fingerprint, NormalInverseGamma, NormalInverseGammaPosterior,
    PosteriorError, Rated, RegressionEvidence, Statistic,
};

/// Weights θ₀ that hold everywhere, and how far the weights θ_d of each domain lie from them.
///
/// What other domains say of a domain is a normal–inverse-gamma prior again, under which the domain's
/// own events are learned exactly: [`transfer`](Domains::transfer) makes it. So books speak of films
/// before the first film, and less the more films there are. All domains share the noise σ².
///
/// # Formula
/// θ₀, σ² ~ the shared prior, δ_d | σ² ~ Normal(0, σ²·variance_d), θ_d = θ₀ + δ_d.
///
/// With G = XᵀX and S = Xᵀ(y − X·mean) of a domain's events and A = I + variance·G, its events say of
/// θ₀ what G·A⁻¹ and A⁻¹·S say. So θ₀ given domains D has the precision K = precision + Σ_D G·A⁻¹ and
/// the mean t = mean + K⁻¹·Σ_D A⁻¹·S; another domain's prior is Normal(t, σ²·(K⁻¹ + variance)).
/// This is the regression on (x, 0, …, x, …, 0) with θ₀ and all δ side by side, in d³ steps for each
/// domain rather than ((domains + 1)·d)³.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Domains {
    shared: NormalInverseGamma,
    variances: Vec<f64>,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    shared: NormalInverseGamma,
    variances: Vec<f64>,
}

impl Domains {
    /// The prior of θ₀ and σ², and the variance of each domain's δ in units of the noise's.
    ///
    /// A variance of 0 makes a domain's weights θ₀; the larger it is, the less domains share.
    ///
    /// # Errors
    /// [`PosteriorError::Empty`] without domains, [`PosteriorError::OutOfRange`] for a variance that
    /// is negative or not finite.
    pub fn new(shared: NormalInverseGamma, variances: Vec<f64>) -> Result<Self, PosteriorError> {
        if variances.is_empty() {
            return Err(PosteriorError::Empty { what: "domains" });
        }
        variances.iter().try_for_each(|&variance| variance_of_domain(variance))?;
        let whole = shared.fingerprint();
        let fingerprint = Fingerprint::new(Self::NAME)
            .with([(whole >> 32) as f64, f64::from(whole as u32)])
            .with(variances.iter().copied())
            .finish();
        Ok(Self { shared, variances, fingerprint })
    }

    /// How many domains there are.
    pub fn domain_count(&self) -> usize {
        self.variances.len()
    }

    /// The prior of a domain's weights given the events of all the others.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] for a domain that there isn't or evidence of another shape,
    /// [`PosteriorError::NotPositiveDefinite`].
    pub fn transfer(
        &self,
        evidence: &DomainEvidence,
        domain: usize,
    ) -> Result<NormalInverseGamma, PosteriorError> {
        same_length("domains", self.domain_count(), evidence.0.len())?;
        known(domain, self.domain_count())?;
        let others = (0..self.domain_count()).filter(|&other| other != domain);
        self.given(evidence, others, self.variances[domain])
    }

    /// The prior of the weights of a domain that isn't among these, given the events of all; with a
    /// variance of 0, of θ₀ itself.
    ///
    /// # Errors
    /// Those of [`Domains::transfer`], and [`PosteriorError::OutOfRange`] for a variance that is
    /// negative or not finite.
    pub fn transfer_to_new(
        &self,
        evidence: &DomainEvidence,
        variance: f64,
    ) -> Result<NormalInverseGamma, PosteriorError> {
        same_length("domains", self.domain_count(), evidence.0.len())?;
        variance_of_domain(variance)?;
        self.given(evidence, 0..self.domain_count(), variance)
    }

    fn given(
        &self,
        evidence: &DomainEvidence,
        domains: impl Iterator<Item = usize>,
        variance: f64,
    ) -> Result<NormalInverseGamma, PosteriorError> {
        let (mean, mut precision) = (self.shared.mean(), self.shared.precision().to_owned());
        let mut told = Array1::<f64>::zeros(mean.len());
        let (mut count, mut squares) = (0.0, 0.0);
        for domain in domains {
            let (own, variance) = (&evidence.0[domain], self.variances[domain]);
            let (gram, moment, residual) = own.around(mean)?;
            let inverse = one_plus(variance, &gram)?.inverse();
            precision += &inverse.dot(&gram);
            let heard = inverse.dot(&moment);
            squares += residual - variance * moment.dot(&heard);
            count += own.count();
            told += &heard;
        }
        precision = symmetric(&precision);
        let factor =
            Cholesky::new("precision of the shared weights", mean.len(), |i, j| precision[[i, j]])?;
        let moved = Array1::from(factor.solve(told.to_vec()));
        squares -= told.dot(&moved);
        let precision = symmetric(&one_plus(variance, &precision)?.inverse().dot(&precision));
        NormalInverseGamma::new(
            &mean + &moved,
            precision,
            self.shared.shape() + count.max(0.0) / 2.0,
            self.shared.scale() + squares.max(0.0) / 2.0,
        )
    }
}

/// I + variance·G.
fn one_plus(variance: f64, gram: &Array2<f64>) -> Result<Cholesky, PosteriorError> {
    Cholesky::new("evidence of a domain", gram.nrows(), |i, j| {
        f64::from(u8::from(i == j)) + variance * gram[[i, j]]
    })
}

/// A product that is symmetric but for rounding.
fn symmetric(product: &Array2<f64>) -> Array2<f64> {
    (product + &product.t()) / 2.0
}

fn variance_of_domain(variance: f64) -> Result<(), PosteriorError> {
    let valid = variance >= 0.0 && variance.is_finite();
    in_range("variance of a domain", variance, valid, "a finite number from 0")
}

fn known(domain: usize, domains: usize) -> Result<(), PosteriorError> {
    if domain < domains {
        return Ok(());
    }
    Err(PosteriorError::Length { what: "domains", expected: domain + 1, got: domains })
}

impl TryFrom<Parameters> for Domains {
    type Error = PosteriorError;
    fn try_from(of: Parameters) -> Result<Self, PosteriorError> {
        Self::new(of.shared, of.variances)
    }
}

impl From<Domains> for Parameters {
    fn from(Domains { shared, variances, .. }: Domains) -> Self {
        Self { shared, variances }
    }
}

impl Family for Domains {
    const NAME: &'static str = "domains";
    type Statistic = DomainEvidence;
    /// The marginal of each domain's θ_d.
    type Posterior = Vec<NormalInverseGammaPosterior>;

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn nothing(&self) -> DomainEvidence {
        DomainEvidence(vec![self.shared.nothing(); self.domain_count()])
    }

    fn posterior(
        &self,
        evidence: &DomainEvidence,
    ) -> Result<Vec<NormalInverseGammaPosterior>, PosteriorError> {
        same_length("domains", self.domain_count(), evidence.0.len())?;
        let own = evidence.0.iter().enumerate();
        own.map(|(domain, own)| self.transfer(evidence, domain)?.posterior(own)).collect()
    }
}

impl Conjugate for Domains {
    /// log P(y|X), in nats: each domain's given those before it.
    fn log_evidence(&self, evidence: &DomainEvidence) -> Result<f64, PosteriorError> {
        same_length("domains", self.domain_count(), evidence.0.len())?;
        let own = evidence.0.iter().zip(&self.variances).enumerate();
        own.map(|(domain, (own, &variance))| {
            self.given(evidence, 0..domain, variance)?.log_evidence(own)
        })
        .sum()
    }
}

/// What the events of each domain add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEvidence(Vec<RegressionEvidence>);

impl Statistic for DomainEvidence {
    fn add(&mut self, other: &Self, weight: f64) -> Result<(), PosteriorError> {
        same_length("domains", self.0.len(), other.0.len())?;
        let mut sum = self.clone();
        sum.0.iter_mut().zip(&other.0).try_for_each(|(sum, more)| sum.add(more, weight))?;
        *self = sum;
        Ok(())
    }

    fn scale(&mut self, kept: f64) {
        self.0.iter_mut().for_each(|own| own.scale(kept));
    }

    fn validate(&self) -> Result<(), PosteriorError> {
        self.0.iter().try_for_each(Statistic::validate)
    }
}

/// One event: a value that was given to an item of a domain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatedIn<'a> {
    /// The domain's index.
    pub domain: usize,
    /// The item and its value.
    pub rated: Rated<'a>,
}

impl Exact<Domains> for RatedIn<'_> {
    fn statistic(&self, family: &Domains) -> Result<DomainEvidence, PosteriorError> {
        known(self.domain, family.domain_count())?;
        let mut evidence = family.nothing();
        evidence.0[self.domain] = self.rated.statistic(&family.shared)?;
        Ok(evidence)
    }
}
