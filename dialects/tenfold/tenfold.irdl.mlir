// The tenfold dialect: one operation for each operator of the graph. Printed from `ops`; do not edit.
// `TENFOLD_BLESS=1 cargo test -p tenfold-dialect` writes it anew.
irdl.dialect @tenfold {
  irdl.operation @constant {
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_value = irdl.any
    irdl.attributes { "value" = %attr_value }
  }
  irdl.operation @dims {
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_values = irdl.base "#builtin.array"
    irdl.attributes { "values" = %attr_values }
  }
  irdl.operation @bind {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %attr_symbols = irdl.base "#builtin.array"
    irdl.attributes { "symbols" = %attr_symbols }
  }
  irdl.operation @iota {
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_dtype = irdl.base "#builtin.type"
    %attr_shape = irdl.base "#builtin.array"
    %attr_axis = irdl.base "#builtin.integer"
    irdl.attributes { "dtype" = %attr_dtype, "shape" = %attr_shape, "axis" = %attr_axis }
  }
  irdl.operation @neg {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @abs {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sign {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @not {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @exp {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @log {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @log1p {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @expm1 {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sqrt {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sin {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @cos {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @tan {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @asin {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @acos {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @atan {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sinh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @cosh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @tanh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @asinh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @acosh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @atanh {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @erf {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sigmoid {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @floor {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @ceil {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @round {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @trunc {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @isnan {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @add {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @sub {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @mul {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @div {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @pow {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @max {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @min {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @mod {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @rem {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @atan2 {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @and {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @or {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @xor {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @shl {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @shr {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @eq {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @ne {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @lt {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @le {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @gt {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @ge {
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @select {
    %in_condition = irdl.base "!builtin.tensor"
    %in_a = irdl.base "!builtin.tensor"
    %in_b = irdl.base "!builtin.tensor"
    irdl.operands(condition: %in_condition, a: %in_a, b: %in_b)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
  }
  irdl.operation @cast {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_to = irdl.base "#builtin.type"
    %attr_saturate = irdl.base "#builtin.integer"
    irdl.attributes { "to" = %attr_to, "saturate" = %attr_saturate }
  }
  irdl.operation @bitcast {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_to = irdl.base "#builtin.type"
    irdl.attributes { "to" = %attr_to }
  }
  irdl.operation @reshape {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_shape = irdl.base "#builtin.array"
    irdl.attributes { "shape" = %attr_shape }
  }
  irdl.operation @transpose {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_perm = irdl.base "#builtin.dense_array"
    irdl.attributes { "perm" = %attr_perm }
  }
  irdl.operation @broadcast {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_shape = irdl.base "#builtin.array"
    irdl.attributes { "shape" = %attr_shape }
  }
  irdl.operation @slice {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_starts = irdl.base "#builtin.array"
    %attr_sizes = irdl.base "#builtin.array"
    %attr_steps = irdl.base "#builtin.dense_array"
    irdl.attributes { "starts" = %attr_starts, "sizes" = %attr_sizes, "steps" = %attr_steps }
  }
  irdl.operation @pad {
    %in_x = irdl.base "!builtin.tensor"
    %in_value = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, value: %in_value)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_low = irdl.base "#builtin.array"
    %attr_high = irdl.base "#builtin.array"
    %mode_constant = irdl.is "constant"
    %mode_reflect = irdl.is "reflect"
    %mode_edge = irdl.is "edge"
    %mode_wrap = irdl.is "wrap"
    %attr_mode = irdl.any_of(%mode_constant, %mode_reflect, %mode_edge, %mode_wrap)
    irdl.attributes { "low" = %attr_low, "high" = %attr_high, "mode" = %attr_mode }
  }
  irdl.operation @concat {
    %in_parts = irdl.base "!builtin.tuple"
    irdl.operands(parts: %in_parts)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_axis = irdl.base "#builtin.integer"
    irdl.attributes { "axis" = %attr_axis }
  }
  irdl.operation @gather {
    %in_x = irdl.base "!builtin.tensor"
    %in_indices = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, indices: %in_indices)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_axis = irdl.base "#builtin.integer"
    irdl.attributes { "axis" = %attr_axis }
  }
  irdl.operation @gather_elements {
    %in_x = irdl.base "!builtin.tensor"
    %in_indices = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, indices: %in_indices)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_axis = irdl.base "#builtin.integer"
    irdl.attributes { "axis" = %attr_axis }
  }
  irdl.operation @gather_nd {
    %in_x = irdl.base "!builtin.tensor"
    %in_indices = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, indices: %in_indices)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_batch_dims = irdl.base "#builtin.integer"
    irdl.attributes { "batch_dims" = %attr_batch_dims }
  }
  irdl.operation @scatter_elements {
    %in_x = irdl.base "!builtin.tensor"
    %in_indices = irdl.base "!builtin.tensor"
    %in_updates = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, indices: %in_indices, updates: %in_updates)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_axis = irdl.base "#builtin.integer"
    %kind_add = irdl.is "add"
    %kind_mul = irdl.is "mul"
    %kind_max = irdl.is "max"
    %kind_min = irdl.is "min"
    %kind_replace = irdl.is "replace"
    %attr_kind = irdl.any_of(%kind_add, %kind_mul, %kind_max, %kind_min, %kind_replace)
    irdl.attributes { "axis" = %attr_axis, "kind" = %attr_kind }
  }
  irdl.operation @scatter_nd {
    %in_x = irdl.base "!builtin.tensor"
    %in_indices = irdl.base "!builtin.tensor"
    %in_updates = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, indices: %in_indices, updates: %in_updates)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_add = irdl.is "add"
    %kind_mul = irdl.is "mul"
    %kind_max = irdl.is "max"
    %kind_min = irdl.is "min"
    %kind_replace = irdl.is "replace"
    %attr_kind = irdl.any_of(%kind_add, %kind_mul, %kind_max, %kind_min, %kind_replace)
    irdl.attributes { "kind" = %attr_kind }
  }
  irdl.operation @reduce {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_max = irdl.is "max"
    %kind_min = irdl.is "min"
    %kind_sum = irdl.is "sum"
    %kind_prod = irdl.is "prod"
    %attr_kind = irdl.any_of(%kind_max, %kind_min, %kind_sum, %kind_prod)
    %attr_axes = irdl.base "#builtin.dense_array"
    irdl.attributes { "kind" = %attr_kind, "axes" = %attr_axes }
  }
  irdl.operation @arg_reduce {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_max = irdl.is "max"
    %kind_min = irdl.is "min"
    %attr_kind = irdl.any_of(%kind_max, %kind_min)
    %attr_axis = irdl.base "#builtin.integer"
    %attr_last = irdl.base "#builtin.integer"
    irdl.attributes { "kind" = %attr_kind, "axis" = %attr_axis, "last" = %attr_last }
  }
  irdl.operation @cumulative {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_sum = irdl.is "sum"
    %kind_prod = irdl.is "prod"
    %attr_kind = irdl.any_of(%kind_sum, %kind_prod)
    %attr_axis = irdl.base "#builtin.integer"
    %attr_exclusive = irdl.base "#builtin.integer"
    %attr_reverse = irdl.base "#builtin.integer"
    irdl.attributes { "kind" = %attr_kind, "axis" = %attr_axis, "exclusive" = %attr_exclusive, "reverse" = %attr_reverse }
  }
  irdl.operation @dot {
    %in_x = irdl.base "!builtin.tensor"
    %in_y = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, y: %in_y)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_lhs_batch = irdl.base "#builtin.dense_array"
    %attr_rhs_batch = irdl.base "#builtin.dense_array"
    %attr_lhs_contract = irdl.base "#builtin.dense_array"
    %attr_rhs_contract = irdl.base "#builtin.dense_array"
    %attr_out = irdl.base "#builtin.type"
    irdl.attributes { "lhs_batch" = %attr_lhs_batch, "rhs_batch" = %attr_rhs_batch, "lhs_contract" = %attr_lhs_contract, "rhs_contract" = %attr_rhs_contract, "out" = %attr_out }
  }
  irdl.operation @conv {
    %in_x = irdl.base "!builtin.tensor"
    %in_w = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x, w: %in_w)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_strides = irdl.base "#builtin.dense_array"
    %attr_pads_low = irdl.base "#builtin.array"
    %attr_pads_high = irdl.base "#builtin.array"
    %attr_dilations = irdl.base "#builtin.dense_array"
    %attr_base_dilations = irdl.base "#builtin.dense_array"
    %attr_groups = irdl.base "#builtin.integer"
    %attr_out = irdl.base "#builtin.type"
    irdl.attributes { "strides" = %attr_strides, "pads_low" = %attr_pads_low, "pads_high" = %attr_pads_high, "dilations" = %attr_dilations, "base_dilations" = %attr_base_dilations, "groups" = %attr_groups, "out" = %attr_out }
  }
  irdl.operation @pool {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_max = irdl.is "max"
    %kind_sum = irdl.is "sum"
    %attr_kind = irdl.any_of(%kind_max, %kind_sum)
    %attr_window = irdl.base "#builtin.dense_array"
    %attr_strides = irdl.base "#builtin.dense_array"
    %attr_pads_low = irdl.base "#builtin.array"
    %attr_pads_high = irdl.base "#builtin.array"
    %attr_dilations = irdl.base "#builtin.dense_array"
    irdl.attributes { "kind" = %attr_kind, "window" = %attr_window, "strides" = %attr_strides, "pads_low" = %attr_pads_low, "pads_high" = %attr_pads_high, "dilations" = %attr_dilations }
  }
  irdl.operation @pool_arg_max {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_window = irdl.base "#builtin.dense_array"
    %attr_strides = irdl.base "#builtin.dense_array"
    %attr_pads_low = irdl.base "#builtin.array"
    %attr_pads_high = irdl.base "#builtin.array"
    %attr_dilations = irdl.base "#builtin.dense_array"
    %attr_column_major = irdl.base "#builtin.integer"
    irdl.attributes { "window" = %attr_window, "strides" = %attr_strides, "pads_low" = %attr_pads_low, "pads_high" = %attr_pads_high, "dilations" = %attr_dilations, "column_major" = %attr_column_major }
  }
  irdl.operation @topk {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_values = irdl.base "!builtin.tensor"
    %out_indices = irdl.base "!builtin.tensor"
    irdl.results(values: %out_values, indices: %out_indices)
    %attr_axis = irdl.base "#builtin.integer"
    %attr_k = irdl.base "#builtin.string"
    %attr_largest = irdl.base "#builtin.integer"
    irdl.attributes { "axis" = %attr_axis, "k" = %attr_k, "largest" = %attr_largest }
  }
  irdl.operation @nonzero {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_count = irdl.base "#builtin.string"
    irdl.attributes { "count" = %attr_count }
  }
  irdl.operation @unique {
    %in_x = irdl.base "!builtin.tensor"
    irdl.operands(x: %in_x)
    %out_values = irdl.base "!builtin.tensor"
    %out_indices = irdl.base "!builtin.tensor"
    %out_inverse = irdl.base "!builtin.tensor"
    %out_counts = irdl.base "!builtin.tensor"
    irdl.results(values: %out_values, indices: %out_indices, inverse: %out_inverse, counts: %out_counts)
    %attr_axis = irdl.base "#builtin.integer"
    %attr_sorted = irdl.base "#builtin.integer"
    %attr_count = irdl.base "#builtin.string"
    irdl.attributes { "axis" = %attr_axis, "sorted" = %attr_sorted, "count" = %attr_count }
  }
  irdl.operation @non_max_suppression {
    %in_boxes = irdl.base "!builtin.tensor"
    %in_scores = irdl.base "!builtin.tensor"
    %in_most = irdl.base "!builtin.tensor"
    %in_overlap = irdl.base "!builtin.tensor"
    %in_score = irdl.base "!builtin.tensor"
    irdl.operands(boxes: %in_boxes, scores: %in_scores, most: %in_most, overlap: %in_overlap, score: %in_score)
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %attr_center_point = irdl.base "#builtin.integer"
    %attr_count = irdl.base "#builtin.string"
    irdl.attributes { "center_point" = %attr_center_point, "count" = %attr_count }
  }
  irdl.operation @random {
    %out_result = irdl.base "!builtin.tensor"
    irdl.results(result: %out_result)
    %kind_uniform = irdl.is "uniform"
    %kind_normal = irdl.is "normal"
    %attr_kind = irdl.any_of(%kind_uniform, %kind_normal)
    %attr_dtype = irdl.base "#builtin.type"
    %attr_shape = irdl.base "#builtin.array"
    %attr_a = irdl.base "#builtin.float"
    %attr_b = irdl.base "#builtin.float"
    %attr_seed = irdl.base "#builtin.integer"
    irdl.attributes { "kind" = %attr_kind, "dtype" = %attr_dtype, "shape" = %attr_shape, "a" = %attr_a, "b" = %attr_b, "seed" = %attr_seed }
  }
  irdl.operation @if {
    %in_condition = irdl.base "!builtin.tensor"
    %in_values = irdl.base "!builtin.tuple"
    irdl.operands(condition: %in_condition, values: %in_values)
    %out_results = irdl.base "!builtin.tuple"
    irdl.results(results: %out_results)
    %attr_symbols = irdl.base "#builtin.array"
    irdl.attributes { "symbols" = %attr_symbols }
    %region_then = irdl.region
    %region_else = irdl.region
    irdl.regions(then: %region_then, else: %region_else)
  }
  irdl.operation @loop {
    %in_trips = irdl.base "!builtin.tensor"
    %in_condition = irdl.base "!builtin.tensor"
    %in_values = irdl.base "!builtin.tuple"
    irdl.operands(trips: %in_trips, condition: %in_condition, values: %in_values)
    %out_results = irdl.base "!builtin.tuple"
    irdl.results(results: %out_results)
    %attr_n_carried = irdl.base "#builtin.integer"
    %attr_symbols = irdl.base "#builtin.array"
    irdl.attributes { "n_carried" = %attr_n_carried, "symbols" = %attr_symbols }
    %region_body = irdl.region
    irdl.regions(body: %region_body)
  }
}
