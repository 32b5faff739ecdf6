//! Reads and checks a module's sections.

use crate::body::Body;
use crate::const_expr::ConstExpr;
use crate::error::ParseError;
use crate::features::wasm_features;
use crate::module::{
    DataMode, DataSegment, ElemItems, ElemMode, ElemSegment, Export, FuncDecl, GlobalDecl, Import,
    ImportType, Module, TableDecl,
};
use crate::names::Names;
use crate::quick::Facts;
use crate::summary::Summaries;
use crate::types::{self, ModuleTypes};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tenure_types::{
    ExternIdx, Features, FuncIdx, GlobalIdx, HeapType, MemIdx, MemType, TableIdx, TypeIdx, TypeRegistry,
};
use wasmparser::{ElementItems, ElementKind, ExternalKind, Payload, TableInit, TypeRef, ValidPayload};

/// A module whose sections are right and whose bodies were not checked yet.
pub struct Parsed<'a> {
    /// What is known of the module.
    pub module: Module,
    /// Its bodies, in order.
    pub bodies: Vec<Body<'a>>,
}

/// Reads `bytes`: checks everything but function bodies, and registers the module's types.
///
/// # Errors
/// [`ParseError::Invalid`] for malformed bytes or an invalid module, with the offset;
/// [`ParseError::Unsupported`] names a proposal that is not there; [`ParseError::TooLarge`] a limit.
pub fn parse<'a>(
    bytes: &'a Arc<[u8]>,
    features: Features,
    registry: &TypeRegistry,
) -> Result<Parsed<'a>, ParseError> {
    let wasm_features = wasm_features(features);
    let mut validator = wasmparser::Validator::new_with_features(wasm_features);
    // What is malformed depends on proposals too: a memory's index is a byte where there is only one memory.
    let mut parser = wasmparser::Parser::new(0);
    parser.set_features(wasm_features);
    let mut sections = Sections::new(ModuleTypes::new(registry));
    let mut bodies = Vec::new();
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let Payload::Version { encoding: wasmparser::Encoding::Component, range, .. } = &payload {
            return Err(ParseError::Unsupported { proposal: "component-model", offset: range.start });
        }
        match validator.payload(&payload)? {
            ValidPayload::Func(to_validate, code) => {
                let Some(func) = FuncIdx::new(sections.imported_funcs as usize + bodies.len()) else {
                    return Err(ParseError::TooLarge { what: "functions", limit: u32::MAX.into() });
                };
                sections.bodies.push(in_bytes(code.range()));
                bodies.push(Body { func, code, to_validate, is_checked: false, summary: None });
            }
            _ => sections.read(payload)?,
        }
    }
    let datas = sections.datas_ahead;
    let mut module = sections.finish(bytes);
    module.facts = Facts::new(&module, features, datas);
    Ok(Parsed { module, bodies })
}

/// A module half read. The validator has seen each payload before it comes here.
struct Sections<'r> {
    types: ModuleTypes<'r>,
    imports: Vec<Import>,
    exports: Vec<Export>,
    export_names: HashMap<Arc<str>, usize>,
    funcs: Vec<FuncDecl>,
    tables: Vec<TableDecl>,
    mems: Vec<MemType>,
    globals: Vec<GlobalDecl>,
    elems: Vec<ElemSegment>,
    datas: Vec<DataSegment>,
    /// How many data segments are counted ahead of the bodies.
    datas_ahead: u32,
    start: Option<FuncIdx>,
    imported_funcs: u32,
    imported_tables: u32,
    imported_mems: u32,
    imported_globals: u32,
    bodies: Vec<Range<usize>>,
    code_start: usize,
    name_section: Option<Range<usize>>,
    debug_sections: Vec<(String, Range<usize>)>,
    escaping: Vec<FuncIdx>,
}

impl<'r> Sections<'r> {
    fn new(types: ModuleTypes<'r>) -> Self {
        Self {
            types,
            imports: Vec::new(),
            exports: Vec::new(),
            export_names: HashMap::new(),
            funcs: Vec::new(),
            tables: Vec::new(),
            mems: Vec::new(),
            globals: Vec::new(),
            elems: Vec::new(),
            datas: Vec::new(),
            datas_ahead: 0,
            start: None,
            imported_funcs: 0,
            imported_tables: 0,
            imported_mems: 0,
            imported_globals: 0,
            bodies: Vec::new(),
            code_start: 0,
            name_section: None,
            debug_sections: Vec::new(),
            escaping: Vec::new(),
        }
    }

    fn read(&mut self, payload: Payload<'_>) -> Result<(), ParseError> {
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader.into_iter_with_offsets() {
                    let (offset, group) = group?;
                    self.types.push_group(group, offset)?;
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.import(import, offset)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader.into_iter_with_offsets() {
                    let (offset, ty) = ty?;
                    self.func(TypeIdx(ty), offset)?;
                }
            }
            Payload::TableSection(reader) => {
                for table in reader.into_iter_with_offsets() {
                    let (offset, table) = table?;
                    let init = match &table.init {
                        TableInit::RefNull => None,
                        TableInit::Expr(expr) => Some(self.const_expr(expr)?),
                    };
                    self.tables.push(TableDecl { ty: self.types.table(table.ty, offset)?, init });
                }
            }
            Payload::MemorySection(reader) => {
                for ty in reader.into_iter_with_offsets() {
                    let (offset, ty) = ty?;
                    self.mems.push(types::mem(ty, offset)?);
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let ty = self.types.global(global.ty, offset)?;
                    let init = Some(self.const_expr(&global.init_expr)?);
                    self.globals.push(GlobalDecl { ty, init });
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    self.export(export, offset)?;
                }
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(FuncIdx(func));
                self.escapes(FuncIdx(func));
            }
            Payload::ElementSection(reader) => {
                for elem in reader.into_iter_with_offsets() {
                    let (offset, elem) = elem?;
                    self.elem(elem, offset)?;
                }
            }
            Payload::DataSection(reader) => {
                for data in reader {
                    self.data(data?)?;
                }
            }
            Payload::DataCountSection { count, .. } => self.datas_ahead = count,
            Payload::CodeSectionStart { unchecked_range, .. } => {
                self.code_start = in_bytes(unchecked_range).start
            }
            Payload::TagSection(reader) => {
                let offset = reader.range().start;
                return Err(ParseError::Unsupported { proposal: "exception-handling", offset });
            }
            Payload::CustomSection(section) => {
                let start = section.data_offset() as usize;
                let range = start..start + section.data().len();
                if section.name() == "name" {
                    self.name_section = Some(range);
                } else if section.name().starts_with(".debug_") {
                    self.debug_sections.push((section.name().to_string(), range));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn const_expr(&mut self, expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, ParseError> {
        let expr = ConstExpr::read(expr, |ty, offset| self.types.heap_type(ty, offset))?;
        for func in expr.ref_funcs() {
            self.escapes(func);
        }
        Ok(expr)
    }

    /// Notes that `func` may become a funcref. Constant expressions may stand before the code section
    /// but never before the function section, so `func` is known.
    fn escapes(&mut self, func: FuncIdx) {
        if func.0 >= self.imported_funcs
            && let Some(decl) = self.funcs.get_mut(func.at())
            && decl.escape.is_none()
        {
            decl.escape = Some(self.escaping.len() as u32);
            self.escaping.push(func);
        }
    }

    fn func(&mut self, ty: TypeIdx, offset: u64) -> Result<(), ParseError> {
        let id = self.types.id(ty, offset)?;
        self.funcs.push(FuncDecl { ty, id, escape: None });
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'_>, offset: u64) -> Result<(), ParseError> {
        let ty = match import.ty {
            TypeRef::Func(ty) => {
                self.func(TypeIdx(ty), offset)?;
                self.imported_funcs += 1;
                ImportType::Func(self.types.id(TypeIdx(ty), offset)?)
            }
            TypeRef::Table(ty) => {
                let ty = self.types.table(ty, offset)?;
                self.tables.push(TableDecl { ty, init: None });
                self.imported_tables += 1;
                ImportType::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = types::mem(ty, offset)?;
                self.mems.push(ty);
                self.imported_mems += 1;
                ImportType::Mem(ty)
            }
            TypeRef::Global(ty) => {
                let ty = self.types.global(ty, offset)?;
                self.globals.push(GlobalDecl { ty, init: None });
                self.imported_globals += 1;
                ImportType::Global(ty)
            }
            TypeRef::Tag(_) => {
                return Err(ParseError::Unsupported { proposal: "exception-handling", offset });
            }
            TypeRef::FuncExact(_) => {
                return Err(ParseError::Unsupported { proposal: "custom-descriptors", offset });
            }
        };
        self.imports.push(Import { module: import.module.into(), name: import.name.into(), ty });
        Ok(())
    }

    fn export(&mut self, export: wasmparser::Export<'_>, offset: u64) -> Result<(), ParseError> {
        let item = match export.kind {
            ExternalKind::Func => {
                self.escapes(FuncIdx(export.index));
                ExternIdx::Func(FuncIdx(export.index))
            }
            ExternalKind::Table => ExternIdx::Table(TableIdx(export.index)),
            ExternalKind::Memory => ExternIdx::Mem(MemIdx(export.index)),
            ExternalKind::Global => ExternIdx::Global(GlobalIdx(export.index)),
            ExternalKind::Tag => {
                return Err(ParseError::Unsupported { proposal: "exception-handling", offset });
            }
            ExternalKind::FuncExact => {
                return Err(ParseError::Unsupported { proposal: "custom-descriptors", offset });
            }
        };
        let name: Arc<str> = export.name.into();
        self.export_names.insert(name.clone(), self.exports.len());
        self.exports.push(Export { name, item });
        Ok(())
    }

    fn elem(&mut self, elem: wasmparser::Element<'_>, offset: u64) -> Result<(), ParseError> {
        let mode = match elem.kind {
            ElementKind::Active { table_index, offset_expr } => ElemMode::Active {
                table: TableIdx(table_index.unwrap_or(0)),
                offset: self.const_expr(&offset_expr)?,
            },
            ElementKind::Passive => ElemMode::Passive,
            ElementKind::Declared => ElemMode::Declared,
        };
        let (ty, items) = match elem.items {
            ElementItems::Functions(funcs) => {
                let funcs =
                    funcs.into_iter().map(|func| func.map(FuncIdx)).collect::<Result<Box<[_]>, _>>()?;
                for &func in &funcs {
                    self.escapes(func);
                }
                let ty = tenure_types::RefType { nullable: false, heap: HeapType::Func };
                (ty, ElemItems::Funcs(funcs))
            }
            ElementItems::Expressions(ty, exprs) => {
                let mut items = Vec::new();
                for expr in exprs {
                    items.push(self.const_expr(&expr?)?);
                }
                (self.types.ref_type(ty, offset)?, ElemItems::Exprs(items.into()))
            }
        };
        self.elems.push(ElemSegment { ty, mode, items });
        Ok(())
    }

    fn data(&mut self, data: wasmparser::Data<'_>) -> Result<(), ParseError> {
        let mode = match data.kind {
            wasmparser::DataKind::Active { memory_index, offset_expr } => {
                DataMode::Active { mem: MemIdx(memory_index), offset: self.const_expr(&offset_expr)? }
            }
            wasmparser::DataKind::Passive => DataMode::Passive,
        };
        let end = data.range.end as usize;
        let range = end - data.data.len()..end;
        self.datas.push(DataSegment { mode, range });
        Ok(())
    }

    fn finish(self, bytes: &Arc<[u8]>) -> Module {
        Module {
            bytes: bytes.clone(),
            types: self.types.ids,
            func_types: self.types.func_types,
            _types_in_use: self.types.in_use,
            imports: self.imports,
            exports: self.exports,
            export_names: self.export_names,
            funcs: self.funcs,
            tables: self.tables,
            mems: self.mems,
            globals: self.globals,
            elems: self.elems,
            datas: self.datas,
            start: self.start,
            imported_funcs: self.imported_funcs,
            imported_tables: self.imported_tables,
            imported_mems: self.imported_mems,
            imported_globals: self.imported_globals,
            escaping: self.escaping,
            bodies: self.bodies,
            code_start: self.code_start,
            names: Names::new(bytes.clone(), self.name_section),
            debug_sections: self.debug_sections,
            summaries: Summaries::default(),
            facts: None,
        }
    }
}

/// A range that wasmparser gives, as positions in the bytes in memory, which it has come from.
fn in_bytes(range: Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}
