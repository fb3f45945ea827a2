//! What each re-ranker gives and takes, over a synthetic catalog: a curve by its parameter.
#![expect(clippy::print_stdout, reason = "a command")]

mod world;

use std::error::Error;

use proclivity_rank::{
    CategoryCapConfig, CosineSimilarity, DppConfig, ExposureCapConfig, FreshnessConfig,
    InterestCalibrationConfig, MmrConfig, Ranked, TieBreak, top_k,
};
use world::{EMBEDDING_DIM, User, World};

const CANDIDATES: usize = 200;
const K: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let world = World::new(7)?;
    let items = &world.items;
    let ids: Vec<String> = (0..items.len()).map(|item| format!("item-{item}")).collect();
    let ties = TieBreak::new(ids.iter().map(String::as_str), 7);
    let users = TieBreak::new(world.users.iter().map(|user| user.id.as_str()), 7);
    let candidates = world.users.iter().map(|user| {
        let unseen = |item: u32| !user.seen[item as usize];
        Ok(top_k(&user.predictive, CANDIDATES, unseen, &ties)?.items)
    });
    let candidates = candidates.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let cosine = CosineSimilarity::new(&world.embeddings, EMBEDDING_DIM)?;
    let similarity = |a, b| cosine.between(a, b);
    let interests = |item: u32| &items[item as usize].interests[..];
    let age = |item: u32| items[item as usize].age;
    let category = |item: u32| Some(items[item as usize].category);
    let table = Table { world: &world, cosine: &cosine };

    println!(
        "re-ranker,parameter,value,ndcg,ndcg_change,half_width,hit_rate,diversity,divergence,mean_age,\
         largest_exposure,gini,short_lists"
    );
    for diversity_weight in [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9] {
        let mmr = MmrConfig { diversity_weight }.build()?;
        let lists = each(&candidates, |_, list| Ok(mmr.rerank(list, K, similarity)?.items))?;
        table.row("mmr,diversity_weight", diversity_weight, &lists, &candidates)?;
    }
    for diversity_weight in [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9] {
        let dpp = DppConfig { diversity_weight, ..DppConfig::default() }.build()?;
        let lists = each(&candidates, |_, list| Ok(dpp.rerank(list, K, similarity)?.list.items))?;
        table.row("dpp,diversity_weight", diversity_weight, &lists, &candidates)?;
    }
    for divergence_weight in [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0] {
        let config = InterestCalibrationConfig { divergence_weight, ..Default::default() };
        let calibration = config.build()?;
        let lists = each(&candidates, |user, list| {
            let shares = &world.users[user].shares;
            Ok(calibration.rerank(list, K, shares, interests)?.items)
        })?;
        table.row(
            "interest_calibration,divergence_weight",
            divergence_weight,
            &lists,
            &candidates,
        )?;
    }
    for boost in [0.0, 0.35, 0.7, 1.4, 2.8] {
        let freshness = FreshnessConfig { boost, ..FreshnessConfig::default() }.build()?;
        let lists = each(&candidates, |_, list| Ok(freshness.rerank(list, K, age)?.items))?;
        table.row("freshness,boost", boost, &lists, &candidates)?;
    }
    for max_per_category in [10, 7, 5, 3, 2, 1] {
        let cap = CategoryCapConfig { max_per_category }.build()?;
        let lists = each(&candidates, |_, list| Ok(cap.rerank(list, K, category)?.items))?;
        table.row("category_cap,max_per_category", max_per_category as f64, &lists, &candidates)?;
    }
    for max_share in [1.0, 0.02, 0.01, 0.005, 0.002, 0.001] {
        let cap = ExposureCapConfig { max_share }.build()?;
        let capped = cap.rerank(&candidates, K, |item| item, &users)?;
        let lists: Vec<_> = capped.lists.into_iter().map(|list| list.items).collect();
        table.row("exposure_cap,max_share", max_share, &lists, &candidates)?;
    }
    Ok(())
}

/// Re-ranks each user's candidates.
fn each(
    candidates: &[Vec<Ranked>],
    rerank: impl Fn(usize, &[Ranked]) -> Result<Vec<Ranked>, Box<dyn Error>>,
) -> Result<Vec<Vec<Ranked>>, Box<dyn Error>> {
    candidates.iter().enumerate().map(|(user, list)| rerank(user, list)).collect()
}

struct Table<'a> {
    world: &'a World,
    cosine: &'a CosineSimilarity<'a>,
}

impl Table<'_> {
    /// One point of a curve: what the lists are like on average over the users, and by how much their
    /// NDCG differs from that of the candidates' order, with a 95 % interval of the paired differences.
    fn row(
        &self,
        name: &str,
        value: f64,
        lists: &[Vec<Ranked>],
        candidates: &[Vec<Ranked>],
    ) -> Result<(), Box<dyn Error>> {
        let World { items, users, .. } = self.world;
        let calibration = InterestCalibrationConfig::default().build()?;
        let mut exposures = vec![0.0; items.len()];
        let (mut ndcgs, mut changes, mut hit_rates) = (vec![], vec![], vec![]);
        let (mut diversities, mut divergences, mut ages) = (vec![], vec![], vec![]);
        for ((user, list), candidates) in users.iter().zip(lists).zip(candidates) {
            let ndcg = expected_ndcg(user, list);
            ndcgs.push(ndcg);
            changes.push(ndcg - expected_ndcg(user, &candidates[..K]));
            hit_rates.push(list.iter().map(|x| user.truth[x.item as usize]).sum());
            diversities.extend(diversity(list, self.cosine));
            if !list.is_empty() {
                let interests = |item: u32| &items[item as usize].interests[..];
                divergences.push(calibration.divergence(list, &user.shares, interests)?);
            }
            ages.extend(list.iter().map(|x| items[x.item as usize].age));
            list.iter().for_each(|x| exposures[x.item as usize] += 1.0);
        }
        let shown: f64 = exposures.iter().sum();
        let largest = exposures.iter().copied().fold(0.0, f64::max) / shown;
        let short = lists.iter().filter(|list| list.len() < K).count();
        println!(
            "{name},{value},{:.4},{:.4},{:.4},{:.4},{:.3},{:.3},{:.0},{largest:.4},{:.3},{short}",
            mean(&ndcgs),
            mean(&changes),
            1.96 * standard_error(&changes),
            mean(&hit_rates),
            mean(&diversities),
            mean(&divergences),
            mean(&ages),
            gini(exposures),
        );
        Ok(())
    }
}

/// The NDCG of a list when the next item comes from the true shares: no luck of a draw in it.
fn expected_ndcg(user: &User, list: &[Ranked]) -> f64 {
    let gains = list.iter().enumerate();
    gains.map(|(place, x)| user.truth[x.item as usize] / ((place + 2) as f64).log2()).sum()
}

/// 1 − the mean cosine of a pair; none of fewer than two items.
fn diversity(list: &[Ranked], cosine: &CosineSimilarity<'_>) -> Option<f64> {
    let pairs = list.iter().enumerate().flat_map(|(at, a)| list[..at].iter().map(move |b| (a, b)));
    let cosines: Vec<f64> = pairs.map(|(a, b)| cosine.between(a.item, b.item)).collect();
    (!cosines.is_empty()).then(|| 1.0 - mean(&cosines))
}

/// Of the exposures over the whole catalog: 0 if all items have the same, towards 1 if one has all.
fn gini(mut exposures: Vec<f64>) -> f64 {
    exposures.sort_by(f64::total_cmp);
    let n = exposures.len() as f64;
    let ranks = exposures.iter().zip(1_u32..);
    let weighted: f64 = ranks.map(|(x, rank)| (2.0 * f64::from(rank) - n - 1.0) * x).sum();
    weighted / (n * exposures.iter().sum::<f64>())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let (mean, n) = (mean(values), values.len() as f64);
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (squares / (n - 1.0) / n).sqrt()
}

// re-ranker,parameter,value,ndcg,ndcg_change,half_width,hit_rate,diversity,divergence,mean_age,largest_exposure,gini,short_lists
// mmr,diversity_weight,0,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// mmr,diversity_weight,0.1,0.1475,-0.0004,0.0002,0.2599,0.810,0.252,200,0.0436,0.978,0
// mmr,diversity_weight,0.2,0.1460,-0.0019,0.0004,0.2561,0.845,0.260,196,0.0448,0.979,0
// mmr,diversity_weight,0.3,0.1420,-0.0059,0.0007,0.2466,0.888,0.290,194,0.0480,0.981,0
// mmr,diversity_weight,0.5,0.1266,-0.0213,0.0013,0.2143,0.961,0.406,193,0.0506,0.980,0
// mmr,diversity_weight,0.7,0.1030,-0.0449,0.0018,0.1649,1.000,0.515,197,0.0452,0.971,0
// mmr,diversity_weight,0.9,0.0796,-0.0683,0.0019,0.1069,1.015,0.582,203,0.0362,0.948,0
// dpp,diversity_weight,0,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// dpp,diversity_weight,0.1,0.1477,-0.0002,0.0001,0.2602,0.791,0.261,200,0.0420,0.977,0
// dpp,diversity_weight,0.2,0.1473,-0.0006,0.0002,0.2590,0.802,0.255,201,0.0426,0.977,0
// dpp,diversity_weight,0.3,0.1463,-0.0016,0.0003,0.2566,0.817,0.247,201,0.0426,0.978,0
// dpp,diversity_weight,0.5,0.1424,-0.0055,0.0005,0.2464,0.852,0.264,201,0.0512,0.980,0
// dpp,diversity_weight,0.7,0.1342,-0.0137,0.0009,0.2253,0.884,0.321,201,0.0532,0.981,0
// dpp,diversity_weight,0.9,0.1121,-0.0358,0.0014,0.1684,0.933,0.451,194,0.0408,0.976,0
// interest_calibration,divergence_weight,0,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// interest_calibration,divergence_weight,0.1,0.1478,-0.0001,0.0002,0.2605,0.790,0.167,199,0.0384,0.975,0
// interest_calibration,divergence_weight,0.2,0.1471,-0.0008,0.0003,0.2581,0.788,0.139,200,0.0358,0.974,0
// interest_calibration,divergence_weight,0.3,0.1463,-0.0016,0.0003,0.2553,0.788,0.113,199,0.0342,0.972,0
// interest_calibration,divergence_weight,0.5,0.1425,-0.0054,0.0006,0.2433,0.783,0.068,203,0.0306,0.967,0
// interest_calibration,divergence_weight,0.7,0.1364,-0.0115,0.0009,0.2254,0.771,0.041,203,0.0288,0.959,0
// interest_calibration,divergence_weight,0.9,0.1186,-0.0293,0.0018,0.1810,0.758,0.024,201,0.0236,0.942,0
// interest_calibration,divergence_weight,1,0.0349,-0.1130,0.0041,0.0483,0.745,0.015,202,0.0230,0.908,0
// freshness,boost,0,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// freshness,boost,0.35,0.1473,-0.0006,0.0004,0.2603,0.785,0.269,188,0.0398,0.976,0
// freshness,boost,0.7,0.1453,-0.0026,0.0006,0.2582,0.790,0.266,174,0.0386,0.976,0
// freshness,boost,1.4,0.1372,-0.0107,0.0010,0.2469,0.799,0.297,139,0.0624,0.977,0
// freshness,boost,2.8,0.1011,-0.0468,0.0018,0.1935,0.817,0.335,67,0.0738,0.980,0
// category_cap,max_per_category,10,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// category_cap,max_per_category,7,0.1478,-0.0001,0.0001,0.2605,0.791,0.264,198,0.0424,0.977,0
// category_cap,max_per_category,5,0.1471,-0.0008,0.0003,0.2581,0.817,0.269,197,0.0436,0.979,0
// category_cap,max_per_category,3,0.1439,-0.0040,0.0006,0.2483,0.857,0.329,199,0.0450,0.983,0
// category_cap,max_per_category,2,0.1379,-0.0100,0.0010,0.2311,0.883,0.454,189,0.0578,0.987,0
// category_cap,max_per_category,1,0.1156,-0.0323,0.0015,0.1707,0.905,0.726,169,0.1035,0.992,500
// exposure_cap,max_share,1,0.1479,0.0000,0.0000,0.2608,0.782,0.269,200,0.0420,0.976,0
// exposure_cap,max_share,0.02,0.1463,-0.0016,0.0004,0.2560,0.747,0.259,202,0.0200,0.971,0
// exposure_cap,max_share,0.01,0.1339,-0.0140,0.0014,0.2225,0.574,0.531,210,0.0100,0.949,0
// exposure_cap,max_share,0.005,0.1043,-0.0436,0.0029,0.1619,0.481,0.810,206,0.0050,0.899,0
// exposure_cap,max_share,0.002,0.0619,-0.0860,0.0042,0.0928,0.420,1.011,205,0.0021,0.763,37
// exposure_cap,max_share,0.001,0.0373,-0.1106,0.0043,0.0556,0.401,0.904,197,0.0015,0.666,186
