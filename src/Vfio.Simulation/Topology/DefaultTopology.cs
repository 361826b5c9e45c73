namespace Vfio.Simulation;

/// <summary>The topology that needs nothing.</summary>
internal static class DefaultTopology
{
    private const int NvmeFunctions = 4;
    private const long NamespaceBytes = 64 << 20;

    internal static TopologyDocument Create() => new() { Models = [Nvme()] };

    // Each VF has a namespace of its own; the PF sees none of them.
    private static NvmeDefinition Nvme() => new()
    {
        Address = "0000:01:00.0",
        Nqn = "nqn.2026-11.org.vfio:simulated-nvme-0",
        VirtualFunctions = new() { Count = NvmeFunctions },
        Namespaces =
        [
            .. Enumerable.Range(0, NvmeFunctions)
                .Select(i => new NamespaceDefinition { Id = (uint)i + 1, Size = NamespaceBytes, Controllers = [$"vf{i}"] }),
        ],
    };
}
