//! Reads a line of text from a picture: what stands before and after the model.
//!
//! [`picture`] makes the recognizer's input out of a picture, [`ctc`] makes text
//! out of its output. Both follow what the model was trained with (PP-OCR's own
//! pipeline), and are pure functions; [`reader`] joins them with a loaded engine;
//! [`kept`] keeps the compiled model between runs.
//!
//! Start reading at [`picture::prepare`] and [`ctc::decode`].

pub mod ctc;
pub mod kept;
pub mod picture;
pub mod reader;
