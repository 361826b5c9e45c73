namespace Vfio.Hosting;

/// <summary>Looks functions up by what people type.</summary>
internal static class HostedFunctions
{
    public static HostedFunction Get(IReadOnlyList<HostedFunction> functions, PciAddress address)
        => functions.FirstOrDefault(f => f.Function.Address == address)
            ?? throw new VfioException(Errno.ENODEV, $"there is no function {address}; vfio list shows those that there are");

    public static HostedFunction Find(IReadOnlyList<HostedFunction> functions, string text)
    {
        if (PciAddress.TryParse(text, null, out var address) && functions.FirstOrDefault(f => f.Function.Address == address) is { } exact)
            return exact;
        var matches = functions.Where(f => f.Function.Address.ToString().EndsWith(text, StringComparison.OrdinalIgnoreCase)).ToList();
        return matches.Count switch
        {
            1 => matches[0],
            0 => throw new VfioException(Errno.ENODEV, $"no function's address ends in '{text}'; vfio list shows those that there are"),
            _ => throw new VfioException(
                Errno.EINVAL, $"'{text}' could be {string.Join(", ", matches.Select(m => m.Function.Address))}; give more of the address"),
        };
    }
}
