//! The access method's routine table.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::build;
use crate::am::insert;
use crate::am::opclass::{STRATEGIES, SUPPORTS};
use crate::am::parallel;
use crate::am::scan;
use crate::am::vacuum;
use crate::am::validate;
use crate::options;
use crate::planner::cost;

#[pg_extern(sql = false)]
fn learned_handler(_fcinfo: pg_sys::FunctionCallInfo) -> PgBox<pg_sys::IndexAmRoutine> {
    // The planner calls this for unrelated queries, too, so it does as little as it can.
    // SAFETY: alloc_node() returns a node of the size of the template, which overwrites all of it.
    unsafe {
        let am = PgBox::<pg_sys::IndexAmRoutine>::alloc_node(pg_sys::NodeTag::T_IndexAmRoutine);
        am.as_ptr().write(TEMPLATE);
        am.into_pg_boxed()
    }
}

const TEMPLATE: pg_sys::IndexAmRoutine = pg_sys::IndexAmRoutine {
    type_: pg_sys::NodeTag::T_IndexAmRoutine,
    amstrategies: STRATEGIES,
    amsupport: SUPPORTS,
    amoptsprocnum: 0,
    amcanorder: true,
    amcanorderbyop: false,
    #[cfg(feature = "pg18")]
    amcanhash: false,
    #[cfg(feature = "pg18")]
    amconsistentequality: true,
    #[cfg(feature = "pg18")]
    amconsistentordering: true,
    amcanbackward: true,
    amcanunique: true,
    amcanmulticol: true,
    amoptionalkey: true,
    amsearcharray: true,
    amsearchnulls: true,
    amstorage: false,
    amclusterable: true,
    ampredlocks: true,
    amcanparallel: true,
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    amcanbuildparallel: false,
    amcaninclude: true,
    amusemaintenanceworkmem: false,
    #[cfg(not(feature = "pg15"))]
    amsummarizing: false,
    amparallelvacuumoptions: (pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL
        | pg_sys::VACUUM_OPTION_PARALLEL_COND_CLEANUP) as u8,
    amkeytype: pg_sys::InvalidOid,
    ambuild: Some(build::ambuild),
    ambuildempty: Some(build::ambuildempty),
    aminsert: Some(insert::aminsert),
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    aminsertcleanup: None,
    ambulkdelete: Some(vacuum::ambulkdelete),
    amvacuumcleanup: Some(vacuum::amvacuumcleanup),
    amcanreturn: Some(scan::amcanreturn),
    amcostestimate: Some(cost::amcostestimate),
    #[cfg(feature = "pg18")]
    amgettreeheight: Some(amgettreeheight),
    amoptions: Some(options::amoptions),
    amproperty: None,
    ambuildphasename: Some(build::ambuildphasename),
    amvalidate: Some(validate::amvalidate),
    amadjustmembers: None,
    ambeginscan: Some(scan::ambeginscan),
    amrescan: Some(scan::amrescan),
    amgettuple: Some(scan::amgettuple),
    amgetbitmap: Some(scan::amgetbitmap),
    amendscan: Some(scan::amendscan),
    ammarkpos: Some(scan::ammarkpos),
    amrestrpos: Some(scan::amrestrpos),
    amestimateparallelscan: Some(parallel::amestimateparallelscan),
    aminitparallelscan: Some(parallel::aminitparallelscan),
    amparallelrescan: Some(parallel::amparallelrescan),
    #[cfg(feature = "pg18")]
    amtranslatestrategy: Some(amtranslatestrategy),
    #[cfg(feature = "pg18")]
    amtranslatecmptype: Some(amtranslatecmptype),
};

/// The access method's `amgettreeheight`: the number of levels above the leaves.
///
/// # Safety
/// Called by the planner with an open index.
#[cfg(feature = "pg18")]
#[pg_guard]
unsafe extern "C-unwind" fn amgettreeheight(index: pg_sys::Relation) -> i32 {
    use crate::error::OrRaise;
    use crate::pg::codec::{EntryCodec, for_words};
    use crate::pg::index::Index;
    use crate::storage::IndexStore;
    fn level<const W: usize>(store: &IndexStore) -> learned::Result<u8> {
        Ok(learned::Tree::<_, W>::new(store).meta()?.level)
    }
    // SAFETY: the planner has the index open and locked.
    let index = unsafe { Index::from_raw(index) };
    let store = IndexStore::new(index, EntryCodec::of(index).words());
    i32::from(for_words!(store.words(), level(&store)).or_raise(index))
}

/// The access method's `amtranslatestrategy`: what a strategy means.
#[cfg(feature = "pg18")]
#[pg_guard]
extern "C-unwind" fn amtranslatestrategy(
    strategy: pg_sys::StrategyNumber,
    _family: pg_sys::Oid,
) -> pg_sys::CompareType::Type {
    match u32::from(strategy) {
        pg_sys::BTLessStrategyNumber => pg_sys::CompareType::COMPARE_LT,
        pg_sys::BTLessEqualStrategyNumber => pg_sys::CompareType::COMPARE_LE,
        pg_sys::BTEqualStrategyNumber => pg_sys::CompareType::COMPARE_EQ,
        pg_sys::BTGreaterEqualStrategyNumber => pg_sys::CompareType::COMPARE_GE,
        pg_sys::BTGreaterStrategyNumber => pg_sys::CompareType::COMPARE_GT,
        _ => pg_sys::CompareType::COMPARE_INVALID,
    }
}

/// The access method's `amtranslatecmptype`: the strategy that means a comparison; 0 for none.
#[cfg(feature = "pg18")]
#[pg_guard]
extern "C-unwind" fn amtranslatecmptype(
    compare: pg_sys::CompareType::Type,
    _family: pg_sys::Oid,
) -> pg_sys::StrategyNumber {
    let strategy = match compare {
        pg_sys::CompareType::COMPARE_LT => pg_sys::BTLessStrategyNumber,
        pg_sys::CompareType::COMPARE_LE => pg_sys::BTLessEqualStrategyNumber,
        pg_sys::CompareType::COMPARE_EQ => pg_sys::BTEqualStrategyNumber,
        pg_sys::CompareType::COMPARE_GE => pg_sys::BTGreaterEqualStrategyNumber,
        pg_sys::CompareType::COMPARE_GT => pg_sys::BTGreaterStrategyNumber,
        _ => 0,
    };
    strategy as pg_sys::StrategyNumber
}
