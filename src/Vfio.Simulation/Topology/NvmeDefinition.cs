using System.Text.Json.Serialization;

namespace Vfio.Simulation;

/// <summary>
/// One simulated device; which one, its <c>model</c> says. Properties can be set, because what the serializer generates would overwrite the
/// defaults of init properties.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model", UnknownDerivedTypeHandling = JsonUnknownDerivedTypeHandling.FailSerialization)]
[JsonDerivedType(typeof(NvmeDefinition), NvmeDefinition.Model)]
internal abstract record ModelDefinition
{
    /// <summary>Address of the PF.</summary>
    public required string Address { get; set; }

    /// <summary>Says what cannot be built.</summary>
    internal abstract void Check(DefinitionCheck check);

    /// <summary>The address of every function.</summary>
    internal abstract IEnumerable<PciAddress> Addresses();
}

/// <summary>An NVMe subsystem: a PF with the primary controller, VFs with secondary controllers, and namespaces on files.</summary>
internal sealed record NvmeDefinition : ModelDefinition
{
    internal const string Model = "nvme";

    /// <summary>Name of the subsystem.</summary>
    public required string Nqn { get; set; }

    public string Serial { get; set; } = "VFIO-SIM-0001";

    public string ModelNumber { get; set; } = "Vfio Simulated NVMe Subsystem";

    /// <summary>I/O queue pairs of the primary controller.</summary>
    public int Queues { get; set; } = 4;

    /// <summary>MSI-X vectors of the PF.</summary>
    public int Vectors { get; set; } = 5;

    public VirtualFunctionsDefinition VirtualFunctions { get; set; } = new();

    public IReadOnlyList<NamespaceDefinition> Namespaces { get; set; } = [];

    internal override IEnumerable<PciAddress> Addresses()
    {
        var physical = PciAddress.Parse(Address);
        yield return physical;
        for (var i = 0; i < VirtualFunctions.Count; i++)
            yield return physical.WithRoutingId((ushort)(physical.RoutingId + VirtualFunctions.Offset + (i * VirtualFunctions.Stride)));
    }

    /// <summary>What a VF is given: its own entry, or what all of them get.</summary>
    internal VirtualFunctionDefinition VirtualFunction(int index)
        => VirtualFunctions.Functions.FirstOrDefault(f => f.Index == index) ?? new VirtualFunctionDefinition
        {
            Index = index,
            Queues = VirtualFunctions.Queues,
            Vectors = VirtualFunctions.Vectors,
            Online = VirtualFunctions.Online,
        };

    internal override void Check(DefinitionCheck check) => NvmeDefinitionCheck.Check(this, check);
}

/// <summary>The VFs: how many, where, and what each is given.</summary>
internal sealed record VirtualFunctionsDefinition
{
    public int Count { get; set; }

    /// <summary>First VF Offset.</summary>
    public int Offset { get; set; } = 1;

    /// <summary>VF Stride.</summary>
    public int Stride { get; set; } = 1;

    /// <summary>I/O queue pairs of a VF without an entry of its own.</summary>
    public int Queues { get; set; } = 4;

    /// <summary>MSI-X vectors of a VF without an entry of its own.</summary>
    public int Vectors { get; set; } = 5;

    /// <summary>Whether a VF without an entry of its own is online at power-on.</summary>
    public bool Online { get; set; } = true;

    /// <summary>Those that differ.</summary>
    public IReadOnlyList<VirtualFunctionDefinition> Functions { get; set; } = [];
}

/// <summary>A VF that differs from the others.</summary>
internal sealed record VirtualFunctionDefinition
{
    public required int Index { get; set; }

    public int Queues { get; set; } = 4;

    public int Vectors { get; set; } = 5;

    public bool Online { get; set; } = true;
}

/// <summary>A namespace.</summary>
internal sealed record NamespaceDefinition
{
    public required uint Id { get; set; }

    /// <summary>Bytes.</summary>
    public required long Size { get; set; }

    public int BlockSize { get; set; } = 512;

    /// <summary>The file that holds the blocks; null for storage of the topology's own.</summary>
    public string? File { get; set; }

    /// <summary>What it is attached to: <c>pf</c>, <c>vf0</c>, <c>vf1</c> ...; null for every controller.</summary>
    public IReadOnlyList<string>? Controllers { get; set; }

    /// <summary>Whether it is attached to a function; -1 stands for the PF.</summary>
    internal bool IsAttachedTo(int function)
        => Controllers?.Contains(function < 0 ? "pf" : $"vf{function}") ?? true;
}
