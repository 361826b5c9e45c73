namespace Vfio.WireVectors.Model;

/// <summary>A field of a structure, in the byte order of the host as everything on the wire.</summary>
internal sealed record Field(string Name, int Offset, int Width)
{
    public ulong Load(ReadOnlySpan<byte> structure)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        structure.Slice(Offset, Width).CopyTo(wide);
        return BitConverter.ToUInt64(wide);
    }

    public void Store(Span<byte> structure, ulong value)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        BitConverter.TryWriteBytes(wide, value);
        wide[..Width].CopyTo(structure[Offset..]);
    }

    public bool Holds(ulong value) => Width == sizeof(ulong) || value >> (8 * Width) == 0;
}

/// <summary>A structure of the protocol, with the field names of its specification.</summary>
internal sealed class Structure
{
    private static readonly Dictionary<string, Structure> Known = new[]
    {
        Of("version", "major:2 minor:2"),
        Of("dma_map", "argsz:4 flags:4 offset:8 addr:8 size:8"),
        Of("dma_unmap", "argsz:4 flags:4 addr:8 size:8"),
        Of("bitmap", "pgsize:8 size:8"),
        Of("device_info", "argsz:4 flags:4 num_regions:4 num_irqs:4"),
        Of("region_info", "argsz:4 flags:4 index:4 cap_offset:4 size:8 offset:8"),
        Of("sparse_mmap", "id:2 version:2 next:4 nr_areas:4 reserved:4"),
        Of("area", "offset:8 size:8"),
        Of("region_io_fds", "argsz:4 flags:4 index:4 count:4"),
        Of("ioeventfd", "gpa_offset:8 size:8 fd_index:4 type:4 flags:4 shadow_mem_fd_index:4 shadow_offset:8 datamatch:8"),
        Of("irq_info", "argsz:4 flags:4 index:4 count:4"),
        Of("irq_set", "argsz:4 flags:4 index:4 start:4 count:4"),
        Of("region_access", "offset:8 region:4 count:4"),
        Of("feature", "argsz:4 flags:4"),
        Of("migration", "flags:8"),
        Of("mig_state", "device_state:4 data_fd:4"),
        Of("dma_logging_control", "page_size:8 num_ranges:4 reserved:4"),
        Of("dma_logging_range", "iova:8 length:8"),
        Of("dma_logging_report", "iova:8 length:8 page_size:8"),
        Of("mig_data", "argsz:4 size:4"),

        // The register windows of the set-ups: README.md, "Set-ups".
        Of("doorbell", "command:4 result:4 iova:8 length:8 argument:4 slot:4"),
        Of("path", "count:4"),
        Of("u32", "value:4"),
    }.ToDictionary(structure => structure.Name);

    private Structure(string name, IReadOnlyList<Field> fields)
    {
        Name = name;
        Fields = fields;
        Length = fields.Sum(field => field.Width);
    }

    public string Name { get; }

    public IReadOnlyList<Field> Fields { get; }

    public int Length { get; }

    public static Structure? Find(string name) => Known.GetValueOrDefault(name);

    private static Structure Of(string name, string fields)
    {
        var at = 0;
        var list = new List<Field>();
        foreach (var field in fields.Split(' '))
        {
            var width = field[^1] - '0';
            list.Add(new(field[..^2], at, width));
            at += width;
        }

        return new(name, list);
    }
}
