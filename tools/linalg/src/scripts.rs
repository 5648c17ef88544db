//! Scripts of the `transform` dialect: tiles, fusion and vectors as MLIR offers them, chosen by hand for each kind of graph.
//!
//! Vectors are 64 elements long where functions are computed, so that LLVM has several chains to interleave; accumulators stay
//! in registers.

use crate::Script;

/// Marks the operation that makes the result as `%last`.
macro_rules! script {
    ($name:literal, $($text:expr),*) => {
        Script {
            name: $name,
            text: concat!(
                "  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %f = transform.structured.match ops{[\"func.func\"]} in %m : (!transform.any_op) -> !transform.any_op
    %end = transform.structured.match ops{[\"bufferization.materialize_in_destination\"]} in %f : (!transform.any_op) -> !transform.any_op
    %last = transform.get_producer_of_operand %end[0] : (!transform.any_op) -> !transform.any_op
",
                $($text,)*
                "    %loops = transform.structured.match ops{[\"scf.for\"]} in %f : (!transform.any_op) -> !transform.any_op
    transform.foreach %loops : !transform.any_op {
    ^bb0(%one: !transform.any_op):
      transform.loop.hoist_loop_invariant_subsets %one : !transform.any_op
    }
    transform.yield
  }
"
            ),
        }
    };
}

/// The product's sums, one step at a time.
macro_rules! one_product_at_a_time {
    () => {
        "    transform.apply_patterns to %f { transform.apply_patterns.canonicalization } : !transform.any_op
    %p = transform.structured.match ops{[\"linalg.generic\"]} attributes{iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>, #linalg.iterator_type<reduction>]} in %f : (!transform.any_op) -> !transform.any_op
    %k, %loop = transform.structured.tile_using_for %p tile_sizes [0, 0, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
"
    };
}

/// Every operation that is left becomes vectors.
macro_rules! vectorize {
    () => {
        concat!(
            "    %ops = transform.structured.match interface{LinalgOp} in %f : (!transform.any_op) -> !transform.any_op\n",
            vectors!()
        )
    };
}

/// `%ops` become vectors.
macro_rules! vectors {
    () => {
        "    transform.foreach %ops : !transform.any_op {
    ^bb0(%one: !transform.any_op):
      transform.structured.vectorize %one : !transform.any_op
    }
    transform.apply_patterns to %f {
      transform.apply_patterns.vector.reduction_to_contract
      transform.apply_patterns.vector.transfer_permutation_patterns
      transform.apply_patterns.canonicalization
    } : !transform.any_op
    transform.apply_patterns to %f {
      transform.apply_patterns.vector.lower_contraction lowering_strategy = \"outerproduct\"
      transform.apply_patterns.vector.lower_outerproduct
      transform.apply_patterns.vector.lower_multi_reduction lowering_strategy = \"innerreduction\"
      transform.apply_patterns.vector.cast_away_vector_leading_one_dim
      transform.apply_patterns.vector.lower_transpose lowering_strategy = \"shuffle_16x16\"
      transform.apply_patterns.canonicalization
    } : !transform.any_op
"
    };
}

/// Elements of one axis.
pub const ELEMENTS: Script = script!(
    "tiles of 64",
    "    %t, %loop = transform.structured.tile_using_for %last tile_sizes [64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)\n",
    vectorize!()
);

/// Elements of two axes that change places.
pub const SQUARES: Script = script!(
    "tiles of 16x16",
    "    %t, %loop:2 = transform.structured.tile_using_for %last tile_sizes [16, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)\n",
    vectorize!()
);

/// Everything that a row needs, row by row.
pub const ROWS: Script = script!(
    "rows fused, 64 at a time",
    "    %t, %rows = transform.structured.fuse %last tile_sizes [1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.apply_patterns to %f { transform.apply_patterns.canonicalization } : !transform.any_op
    transform.apply_cse to %f : !transform.any_op
    %r = transform.structured.match ops{[\"linalg.generic\"]} attributes{iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<reduction>]} in %f : (!transform.any_op) -> !transform.any_op
    transform.foreach %r : !transform.any_op {
    ^bb0(%one: !transform.any_op):
      %a, %b, %c, %d = transform.structured.tile_reduction_using_for %one by tile_sizes = [0, 64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    }
    %p = transform.structured.match ops{[\"linalg.generic\"]} attributes{iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>]} in %rows : (!transform.any_op) -> !transform.any_op
    transform.foreach %p : !transform.any_op {
    ^bb0(%one: !transform.any_op):
      %a, %b = transform.structured.tile_using_for %one tile_sizes [0, 64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    }
",
    vectorize!()
);

/// The sums of rows.
pub const ROW_SUMS: Script = script!(
    "64 sums side by side",
    "    %t, %rows = transform.structured.tile_using_for %last tile_sizes [1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %a, %b, %c, %d = transform.structured.tile_reduction_using_for %t by tile_sizes = [0, 64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
",
    vectorize!()
);

/// A product with what follows it, in tiles of registers.
pub const PRODUCT: Script = script!(
    "tiles of 8x32 in registers",
    "    %t, %tiles:2 = transform.structured.fuse %last tile_sizes [8, 32] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
",
    one_product_at_a_time!(),
    vectorize!()
);

/// The same where nothing says how many rows there are: one at a time, as a tile of several would have a part of unknown size.
pub const PRODUCT_BY_ROWS: Script = script!(
    "rows of 64 in registers",
    "    %t, %tiles:2 = transform.structured.fuse %last tile_sizes [1, 64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
",
    one_product_at_a_time!(),
    vectorize!()
);

/// A convolution as products of filters and rows of the picture.
pub const WINDOWS: Script = script!(
    "4 filters by a row of 56 in registers",
    "    %c = transform.structured.match ops{[\"linalg.generic\"]} attributes{iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>, #linalg.iterator_type<reduction>, #linalg.iterator_type<reduction>, #linalg.iterator_type<reduction>]} in %f : (!transform.any_op) -> !transform.any_op
    %t, %l:3 = transform.structured.tile_using_for %c tile_sizes [4, 1, 56, 0, 0, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %k, %kl:3 = transform.structured.tile_using_for %t tile_sizes [0, 0, 0, 4, 1, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.apply_patterns to %f {
      transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
      transform.apply_patterns.canonicalization
    } : !transform.any_op
    %ops = transform.structured.match interface{LinalgOp} in %l#0 : (!transform.any_op) -> !transform.any_op
",
    vectors!()
);
