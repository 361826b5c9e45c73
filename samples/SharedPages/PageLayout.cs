using Vfio;

namespace SharedPages;

/// <summary>BAR 1: three pages; what is in the middle one goes by message.</summary>
internal static class PageLayout
{
    public const int PageSize = 0x1000;
    public const int Size = 3 * PageSize;

    public static IReadOnlyList<RegionArea> Mappable { get; } = [new(0, PageSize), new(2 * PageSize, PageSize)];
}
