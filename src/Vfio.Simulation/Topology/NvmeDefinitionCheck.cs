using System.Globalization;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation;

/// <summary>What an NVMe definition must fulfil beyond its shape.</summary>
internal static class NvmeDefinitionCheck
{
    private const int MaxVirtualFunctions = 127;
    private const uint MaxNamespaceId = 1024;

    internal static void Check(NvmeDefinition definition, DefinitionCheck check)
    {
        check.That(PciAddress.TryParse(definition.Address, null, out var physical), "address", $"'{definition.Address}' is no PCI address");
        check.That(definition.Nqn.StartsWith("nqn.", StringComparison.Ordinal) && definition.Nqn.Length is > 4 and <= 223,
            "nqn", "an NVMe qualified name starts with 'nqn.' and has at most 223 characters");
        CheckText(check, "serial", definition.Serial, IdentifyController.SerialNumberBytes);
        CheckText(check, "modelNumber", definition.ModelNumber, IdentifyController.ModelNumberBytes);
        CheckResources(check, definition.Queues, definition.Vectors);
        CheckFunctions(definition.VirtualFunctions, physical, check.In("virtualFunctions"));
        var ids = new HashSet<uint>();
        for (var i = 0; i < definition.Namespaces.Count; i++)
        {
            var at = check.In("namespaces", i);
            CheckNamespace(definition, at.Element(definition.Namespaces[i]), at, ids);
        }
    }

    private static void CheckFunctions(VirtualFunctionsDefinition functions, PciAddress physical, DefinitionCheck check)
    {
        check.That(functions.Count is >= 0 and <= MaxVirtualFunctions, "count", $"there can be 0 to {MaxVirtualFunctions} VFs");
        check.That(functions.Offset is >= 1 and <= 0xFFFF, "offset", "the first VF lies 1 to 65535 routing ids after the PF");
        check.That(functions.Stride is >= 1 and <= 0xFFFF, "stride", "VFs lie 1 to 65535 routing ids apart");
        var last = physical.RoutingId + functions.Offset + ((long)(functions.Count - 1) * functions.Stride);
        check.That(functions.Count == 0 || last <= 0xFFFF, "count", "the last VF would lie past bus ff");
        CheckResources(check, functions.Queues, functions.Vectors);
        var indexes = new HashSet<int>();
        for (var i = 0; i < functions.Functions.Count; i++)
        {
            var at = check.In("functions", i);
            var own = at.Element(functions.Functions[i]);
            at.That(own.Index >= 0 && own.Index < functions.Count, "index", $"there is no VF {own.Index}: count is {functions.Count}");
            at.That(indexes.Add(own.Index), "index", $"VF {own.Index} is described twice");
            CheckResources(at, own.Queues, own.Vectors);
        }
    }

    private static void CheckResources(DefinitionCheck check, int queues, int vectors)
    {
        const int Pairs = ControllerLimits.QueuePairs, Vectors = ControllerLimits.Vectors;
        check.That(queues is >= 1 and <= Pairs, "queues", $"a controller has 1 to {Pairs} I/O queue pairs");
        check.That(vectors is >= 1 and <= Vectors, "vectors", $"a controller has 1 to {Vectors} vectors");
    }

    private static void CheckNamespace(NvmeDefinition definition, NamespaceDefinition target, DefinitionCheck check, HashSet<uint> ids)
    {
        check.That(target.Id is >= 1 and <= MaxNamespaceId, "id", $"namespace ids are 1 to {MaxNamespaceId}");
        check.That(ids.Add(target.Id), "id", $"namespace {target.Id} is described twice");
        check.That(target.BlockSize is 512 or 4096, "blockSize", "blocks have 512 or 4096 bytes");
        var fits = target.Size > 0 && target.Size % target.BlockSize == 0;
        check.That(fits, "size", $"{target.Size} is no multiple of the block size, {target.BlockSize}");
        for (var i = 0; i < target.Controllers?.Count; i++)
        {
            var at = check.In("controllers", i);
            var name = at.Element(target.Controllers[i]);
            var known = name == "pf" || (name.StartsWith("vf", StringComparison.Ordinal)
                && int.TryParse(name.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                && index < definition.VirtualFunctions.Count && name == $"vf{index}");
            var count = definition.VirtualFunctions.Count;
            at.That(known, null, $"'{name}' is neither pf nor one of the {count} VFs, vf0 and up");
        }
    }

    private static void CheckText(DefinitionCheck check, string property, string text, int length)
        => check.That(text.Length > 0 && text.Length <= length && text.All(c => c is >= ' ' and <= '~'),
            property, $"1 to {length} printable ASCII characters are wanted");
}
