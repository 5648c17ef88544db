//! Memory, streams and events of the caller.

use super::*;
use crate::driver::Handle;
use runtime::{Address, Input, Order, Output, RawEvent, RawStream, Room, TensorRef};

fn order(stream: Handle) -> Order {
    // SAFETY: the fake looks at what is done with it.
    Order { stream: Some(unsafe { RawStream::new(stream.0 as u64) }), ..Order::default() }
}

/// Memory of the caller, which is not counted as leaked.
struct Callers {
    x: u64,
    y: u64,
    shape: u64,
}

impl Callers {
    fn new(fake: &Fake) -> Self {
        let mut state = fake.state();
        let [x, y, shape] = [32, 32, 8].map(|bytes| state.heap.alloc(bytes));
        Callers { x, y, shape }
    }

    fn input(&self) -> Input<'static> {
        // SAFETY: the fake looks at what is done with it.
        Input::Here(unsafe { TensorRef::new(DType::F32, vec![8], Address::new(self.x)) }.unwrap())
    }

    fn outputs(&self) -> [Output<'static>; 2] {
        // SAFETY: the fake looks at what is done with it.
        [(self.y, 32), (self.shape, 8)].map(|(at, bytes)| Output::Into(unsafe { Room::new(Address::new(at), bytes) }))
    }

    fn free(self, fake: &Fake) {
        [self.x, self.y, self.shape].into_iter().for_each(|at| fake.state().heap.end(at));
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn runs_take_their_place_on_the_callers_stream() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let (stream, memory) = (fake.callers_stream(), Callers::new(&fake));
    let values: Vec<f32> = (0..8).map(|v| v as f32).collect();
    fake.take();
    for round in 0..3 {
        fake.callers_write(stream, memory.x, &bytes(&values));
        // SAFETY: the memory lives on, and is used on the stream only.
        let done = unsafe { engine.enqueue(&[memory.input()], &memory.outputs(), &order(stream)) };
        let (produced, ticket) = done.unwrap();
        assert_eq!(produced[0].shape, [8]);
        let calls = fake.take();
        assert_eq!((count(&calls, "wait"), count(&calls, "wait for event")), (0, 0), "nothing waits: {calls:?}");
        assert_eq!(count(&calls, "stream"), usize::from(round == 0), "one context is enough on one stream");
        assert!(!ticket.is_done().unwrap());
        // What comes behind on the stream sees the results.
        assert_eq!(fake.callers_read(stream, memory.y, 32), bytes(&expected(8)));
        if round == 2 {
            ticket.wait().unwrap();
            assert!(ticket.is_done().unwrap());
        }
    }
    drop(engine);
    memory.free(&fake);
    fake.assert_empty();
}

#[test]
fn runs_on_a_stream_of_the_engine_come_after_the_callers_events() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let (stream, memory) = (fake.callers_stream(), Callers::new(&fake));
    fake.callers_write(stream, memory.x, &bytes(&[1.0; 8]));
    let event = fake.callers_event(stream);
    // SAFETY: the fake looks at what is done with it.
    let order = Order { after: vec![unsafe { RawEvent::new(event.0 as u64) }], ..Order::default() };
    // SAFETY: the memory lives on, and is used behind the event and the ticket only.
    let (_, ticket) = unsafe { engine.enqueue(&[memory.input()], &memory.outputs(), &order) }.unwrap();
    // The other way round: the caller's stream waits for the run.
    let after = Handle(ticket.event().unwrap().get() as usize);
    fake.state().objects.delay(stream, after);
    let sums: Vec<f32> = [11.0, 21.0].repeat(4);
    assert_eq!(fake.callers_read(stream, memory.y, 32), bytes(&sums));
    drop((ticket, engine));
    memory.free(&fake);
    fake.assert_empty();
}

#[test]
#[should_panic(expected = "nothing orders an access")]
fn the_fake_sees_a_run_that_is_not_ordered() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let (stream, memory) = (fake.callers_stream(), Callers::new(&fake));
    fake.callers_write(stream, memory.x, &bytes(&[1.0; 8]));
    let _ = engine.run_on(&[memory.input()], &memory.outputs(), &Order::default());
}

#[test]
fn a_run_that_is_waited_for_needs_no_care() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let (stream, memory) = (fake.callers_stream(), Callers::new(&fake));
    fake.callers_write(stream, memory.x, &bytes(&[1.0; 8]));
    engine.run_on(&[memory.input()], &memory.outputs(), &order(stream)).unwrap();
    let other = fake.callers_stream();
    assert_eq!(fake.callers_read(other, memory.shape, 8), 8i64.to_le_bytes());
}

#[test]
fn other_streams_get_other_contexts_until_there_are_many() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let memory: Vec<Callers> = (0..12).map(|_| Callers::new(&fake)).collect();
    fake.take();
    let mut tickets = vec![];
    for memory in &memory {
        let stream = fake.callers_stream();
        fake.callers_write(stream, memory.x, &bytes(&[1.0; 8]));
        // SAFETY: the memory lives on, and is used on the stream only.
        let done = unsafe { engine.enqueue(&[memory.input()], &memory.outputs(), &order(stream)) };
        tickets.push(done.unwrap().1);
    }
    assert_eq!(count(&fake.take(), "stream"), 8, "then runs wait in line");
    fake.finish();
    engine.run(&input(3)).unwrap();
    assert_eq!(count(&fake.take(), "stream"), 0, "what is done is used again");
    drop((tickets, engine));
    memory.into_iter().for_each(|memory| memory.free(&fake));
    fake.assert_empty();
}

#[test]
fn tensors_of_the_host_and_new_outputs_may_be_enqueued() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let stream = fake.callers_stream();
    let tensor = input(5);
    let inputs = [Input::Host(&tensor[0])];
    // SAFETY: the outputs are used behind the ticket.
    let done = unsafe { engine.enqueue(&inputs, &[Output::New, Output::New], &order(stream)) };
    let (produced, ticket) = done.unwrap();
    ticket.wait().unwrap();
    let y = engine.download(&produced[0].tensor.as_ref().unwrap().as_ref()).unwrap();
    assert_eq!(y.values::<f32>().to_vec(), expected(5));
    drop((produced, ticket, engine));
    fake.assert_empty();
}

#[test]
fn an_engine_may_end_before_its_runs() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let (stream, memory) = (fake.callers_stream(), Callers::new(&fake));
    // SAFETY: the memory lives on.
    let (_, ticket) = unsafe { engine.enqueue(&[memory.input()], &memory.outputs(), &order(stream)) }.unwrap();
    drop(engine);
    assert!(ticket.is_done().unwrap(), "its memory was waited for");
    drop(ticket);
    memory.free(&fake);
    fake.assert_empty();
}

#[test]
fn streams_that_are_captured_are_refused() {
    let fake = Fake::default();
    let engine = engine(&fake, artifact(false));
    let stream = fake.callers_stream();
    fake.state().objects.captured.insert(stream);
    let tensor = input(5);
    let error = engine.run_on(&[(&tensor[0]).into()], &[Output::New, Output::New], &order(stream)).unwrap_err();
    assert!(error.to_string().contains("the caller's stream is being captured"), "{error}");
    check(&engine, 5);
}

#[test]
fn memory_of_another_gpu_is_refused() {
    let fakes = [Fake::default(), Fake::default()];
    let [one, other] = fakes.each_ref().map(|fake| engine(fake, artifact(false)));
    let x = one.upload(&input(4)[0]).unwrap();
    let error = other.run_on(&[(&x).into()], &[Output::New, Output::New], &Order::default()).unwrap_err();
    assert_eq!(error.to_string(), "input `x` is in the memory of another device");
    // Engines on one GPU pass tensors on.
    let second = Engine::from_artifact(artifact(true), &fakes[0].device(90)).unwrap();
    assert!(second.run_on(&[(&x).into()], &[Output::New, Output::New], &Order::default()).is_err());
}
