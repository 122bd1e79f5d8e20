//! What topologies say about presenting their nodes, and plugins.

use super::source::{Result, Source};
use super::walk::{Strings, Walker};
use crate::model::{
    Control, DnsRecord, MetadataTemplate, MetricTemplate, Plugin, Sampling, TableColumn,
    TableTemplate,
};
use crate::symbol::Sym;

fn control_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"human" => 1,
        b"icon" => 2,
        b"confirmation" => 3,
        b"rank" => 4,
        b"probeId" => 5,
        _ => return None,
    })
}

fn metadata_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"label" => 1,
        b"truncate" => 2,
        b"dataType" => 3,
        b"priority" => 4,
        b"from" => 5,
        _ => return None,
    })
}

fn metric_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"label" => 1,
        b"format" => 2,
        b"group" => 3,
        b"priority" => 4,
        _ => return None,
    })
}

fn table_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"label" => 1,
        b"prefix" => 2,
        b"type" => 3,
        b"columns" => 4,
        b"fixedRows" => 5,
        _ => return None,
    })
}

fn column_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"label" => 1,
        b"dataType" => 2,
        _ => return None,
    })
}

fn plugin_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"label" => 1,
        b"description" => 2,
        b"interfaces" => 3,
        b"api_version" => 4,
        b"status" => 5,
        _ => return None,
    })
}

fn dns_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"forward" => 0,
        b"reverse" => 1,
        _ => return None,
    })
}

fn sampling_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"Count" => 0,
        b"Total" => 1,
        _ => return None,
    })
}

impl<S: Source, I: Strings> Walker<'_, S, I> {
    pub(super) fn control(&mut self, key: Sym) -> Result<(Sym, Control)> {
        let mut control = Control::default();
        if !self.source.nil()? {
            self.structure(6, control_field, |w, field| {
                match field {
                    0 => control.id = w.sym()?,
                    1 => control.human = w.sym()?,
                    2 => control.icon = w.sym()?,
                    3 => control.confirmation = w.sym()?,
                    4 => control.rank = w.source.int()?,
                    _ => control.probe_id = w.sym()?,
                }
                Ok(())
            })?;
        }
        Ok((key, control))
    }

    pub(super) fn metadata_template(&mut self, key: Sym) -> Result<(Sym, MetadataTemplate)> {
        let mut template = MetadataTemplate::default();
        if !self.source.nil()? {
            self.structure(6, metadata_field, |w, field| {
                match field {
                    0 => template.id = w.sym()?,
                    1 => template.label = w.sym()?,
                    2 => template.truncate = w.source.int()?,
                    3 => template.data_type = w.sym()?,
                    4 => template.priority = w.source.float()?,
                    _ => template.from = w.sym()?,
                }
                Ok(())
            })?;
        }
        Ok((key, template))
    }

    pub(super) fn metric_template(&mut self, key: Sym) -> Result<(Sym, MetricTemplate)> {
        let mut template = MetricTemplate::default();
        if !self.source.nil()? {
            self.structure(5, metric_field, |w, field| {
                match field {
                    0 => template.id = w.sym()?,
                    1 => template.label = w.sym()?,
                    2 => template.format = w.sym()?,
                    3 => template.group = w.sym()?,
                    _ => template.priority = w.source.float()?,
                }
                Ok(())
            })?;
        }
        Ok((key, template))
    }

    pub(super) fn table_template(&mut self, key: Sym) -> Result<(Sym, TableTemplate)> {
        let mut template = TableTemplate::default();
        if !self.source.nil()? {
            self.structure(6, table_field, |w, field| {
                match field {
                    0 => template.id = w.sym()?,
                    1 => template.label = w.sym()?,
                    2 => template.prefix = w.sym()?,
                    3 => template.kind = w.sym()?,
                    4 => template.columns = w.array(Self::column)?,
                    _ => {
                        template.fixed_rows = w.map(|w, key| Ok((key, w.sym()?)), |row| row.0)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok((key, template))
    }

    fn column(&mut self) -> Result<TableColumn> {
        let mut column = TableColumn::default();
        if !self.source.nil()? {
            self.structure(3, column_field, |w, field| {
                match field {
                    0 => column.id = w.sym()?,
                    1 => column.label = w.sym()?,
                    _ => column.data_type = w.sym()?,
                }
                Ok(())
            })?;
        }
        Ok(column)
    }

    pub(super) fn plugins(&mut self) -> Result<Vec<Plugin>> {
        let mut plugins = self.array(Self::plugin)?;
        super::lists::sort_last_wins(&mut plugins, |p| p.id);
        Ok(plugins)
    }

    fn plugin(&mut self) -> Result<Plugin> {
        let mut plugin = Plugin::default();
        if !self.source.nil()? {
            self.structure(6, plugin_field, |w, field| {
                match field {
                    0 => plugin.id = w.sym()?,
                    1 => plugin.label = w.sym()?,
                    2 => plugin.description = w.sym()?,
                    3 => plugin.interfaces = w.array(Self::sym)?,
                    4 => plugin.api_version = w.sym()?,
                    _ => plugin.status = w.sym()?,
                }
                Ok(())
            })?;
        }
        Ok(plugin)
    }

    pub(super) fn dns(&mut self) -> Result<Vec<(Sym, DnsRecord)>> {
        self.map(
            |w, key| {
                let mut record = DnsRecord::default();
                if !w.source.nil()? {
                    w.structure(2, dns_field, |w, field| {
                        match field {
                            0 => record.forward = w.set()?,
                            _ => record.reverse = w.set()?,
                        }
                        Ok(())
                    })?;
                }
                Ok((key, record))
            },
            |record| record.0,
        )
    }

    pub(super) fn sampling(&mut self) -> Result<Sampling> {
        let mut sampling = Sampling::default();
        if !self.source.nil()? {
            self.structure(2, sampling_field, |w, field| {
                match field {
                    0 => sampling.count = w.source.uint()?,
                    _ => sampling.total = w.source.uint()?,
                }
                Ok(())
            })?;
        }
        Ok(sampling)
    }
}
