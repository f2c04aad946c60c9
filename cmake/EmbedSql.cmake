# Writes OUTPUT, a C++ file that holds each .sql file of FOLDER (numbered migrations, in order) as a string.
# Run as: cmake -DFOLDER=… -DOUTPUT=… -P EmbedSql.cmake
file(GLOB files "${FOLDER}/*.sql")
list(SORT files)
set(text "// Made from ${FOLDER} at build time.\n#include \"store/migrations.h\"\n\n")
string(APPEND text "namespace postcensus::store {\n\nconst std::vector<std::string_view>& migrations() {\n")
string(APPEND text "    static const std::vector<std::string_view> all{\n")
foreach(file IN LISTS files)
    file(READ "${file}" sql)
    string(APPEND text "        R\"__sql__(${sql})__sql__\",\n")
endforeach()
string(APPEND text "    };\n    return all;\n}\n\n}  // namespace postcensus::store\n")
file(WRITE "${OUTPUT}" "${text}")
